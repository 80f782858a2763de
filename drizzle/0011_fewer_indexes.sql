DROP INDEX `todos_user_id_is_done`;--> statement-breakpoint
DROP INDEX `todos_user_id`;--> statement-breakpoint
CREATE INDEX `todos_user_id` ON `todos` (`user_id`,`id`,`is_done`);