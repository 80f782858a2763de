CREATE INDEX `kept_answers_user_id` ON `kept_answers` (`user_id`,`expires_at`);--> statement-breakpoint
CREATE INDEX `kept_answers_todo_id` ON `kept_answers` (`user_id`,`todo_id`);