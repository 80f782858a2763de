CREATE TABLE `verifications` (
	`user_id` integer PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`email` text NOT NULL,
	`otp_mac` text NOT NULL,
	`tries` integer NOT NULL,
	`expires_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `verifications_expires_at` ON `verifications` (`expires_at`);
--> statement-breakpoint
ALTER TABLE `outbox` ADD `priority` integer DEFAULT 1 NOT NULL;
--> statement-breakpoint
CREATE INDEX `outbox_priority` ON `outbox` (`priority`,`next_attempt_at`);
--> statement-breakpoint
CREATE INDEX `outbox_user_id` ON `outbox` (`user_id`);
--> statement-breakpoint
ALTER TABLE `users` ADD `deleted_at` integer;
--> statement-breakpoint
CREATE INDEX `users_deleted_at` ON `users` (`deleted_at`) WHERE deleted_at IS NOT NULL;
--> statement-breakpoint
-- From here on by hand. What the former version counted is counted under other keys now, and some of its rows are
-- kilobytes long and would stay for a year.
DELETE FROM `ttl`
WHERE `kind` IN ('otp', 'otp_tries', 'otp_cooldown', 'otp_sends', 'log_in_failures', 'account_failures');
--> statement-breakpoint
-- The rows of a deleted user go a slice at a time. Nobody counts them any more, and nobody has to hear of it.
DROP TRIGGER `todos_uncounted`;
--> statement-breakpoint
CREATE TRIGGER `todos_uncounted` AFTER DELETE ON `todos` BEGIN
	UPDATE `users` SET `todo_count` = `todo_count` - 1 WHERE `id` = OLD.`user_id` AND `deleted_at` IS NULL;
END;
--> statement-breakpoint
DROP TRIGGER `trash_uncounted`;
--> statement-breakpoint
CREATE TRIGGER `trash_uncounted` AFTER DELETE ON `trash` BEGIN
	UPDATE `users` SET `todo_count` = `todo_count` - 1 WHERE `id` = OLD.`user_id` AND `deleted_at` IS NULL;
END;
--> statement-breakpoint
DROP TRIGGER `lists_uncounted`;
--> statement-breakpoint
CREATE TRIGGER `lists_uncounted` AFTER DELETE ON `lists` BEGIN
	UPDATE `users` SET `list_count` = `list_count` - 1 WHERE `id` = OLD.`user_id` AND `deleted_at` IS NULL;
END;
--> statement-breakpoint
DROP TRIGGER `todos_deleted_without_rev`;
--> statement-breakpoint
CREATE TRIGGER `todos_deleted_without_rev`
AFTER DELETE ON `todos` WHEN NOT EXISTS (SELECT 1 FROM `trash` WHERE `id` = OLD.`id`) BEGIN
	UPDATE `users` SET `revision` = `revision` + 1 WHERE `id` = OLD.`user_id` AND `deleted_at` IS NULL;
	INSERT INTO `deletions` (`user_id`, `rev`, `type`, `id`, `created_at`)
	SELECT `id`, `revision`, 'todo', OLD.`id`, CAST(unixepoch('subsec') * 1000 AS INTEGER)
	FROM `users` WHERE `id` = OLD.`user_id` AND `deleted_at` IS NULL;
END;
