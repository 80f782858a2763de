CREATE TABLE `kept_answers` (
	`user_id` integer NOT NULL,
	`key` text NOT NULL,
	`todo_id` integer,
	`outcome` text NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`user_id`, `key`),
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `kept_answers_expires_at` ON `kept_answers` (`expires_at`);