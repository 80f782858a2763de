CREATE TABLE `deletions` (
	`user_id` integer NOT NULL,
	`rev` integer NOT NULL,
	`type` text NOT NULL,
	`id` integer NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`user_id`, `rev`, `type`, `id`),
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `deletions_created_at` ON `deletions` (`created_at`);
--> statement-breakpoint
CREATE TABLE `lists` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`user_id` integer NOT NULL,
	`name` text NOT NULL,
	`position` integer NOT NULL,
	`rev` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `lists_user_id_rev` ON `lists` (`user_id`,`rev`);
--> statement-breakpoint
CREATE TABLE `trash` (
	`id` integer PRIMARY KEY NOT NULL,
	`user_id` integer NOT NULL,
	`contents` text NOT NULL,
	`is_done` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`list_id` integer,
	`position` integer DEFAULT 0 NOT NULL,
	`rev` integer DEFAULT 0 NOT NULL,
	`priority` integer DEFAULT 0 NOT NULL,
	`done_at` integer,
	`due_date` text,
	`due_time` text,
	`due_zone` text,
	`due_at` integer,
	`due_day` integer,
	`repeat` text,
	`contents_folded` text,
	`notes` text,
	`notes_folded` text,
	`deleted_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `trash_user_id` ON `trash` (`user_id`,`deleted_at`,`id`);
--> statement-breakpoint
CREATE INDEX `trash_rev` ON `trash` (`user_id`,`rev`);
--> statement-breakpoint
CREATE INDEX `trash_deleted_at` ON `trash` (`deleted_at`);
--> statement-breakpoint
ALTER TABLE `todos` ADD `list_id` integer;
--> statement-breakpoint
ALTER TABLE `todos` ADD `position` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
ALTER TABLE `todos` ADD `rev` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
ALTER TABLE `todos` ADD `priority` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
ALTER TABLE `todos` ADD `done_at` integer;
--> statement-breakpoint
ALTER TABLE `todos` ADD `due_date` text;
--> statement-breakpoint
ALTER TABLE `todos` ADD `due_time` text;
--> statement-breakpoint
ALTER TABLE `todos` ADD `due_zone` text;
--> statement-breakpoint
ALTER TABLE `todos` ADD `due_at` integer;
--> statement-breakpoint
ALTER TABLE `todos` ADD `due_day` integer;
--> statement-breakpoint
ALTER TABLE `todos` ADD `repeat` text;
--> statement-breakpoint
ALTER TABLE `todos` ADD `contents_folded` text;
--> statement-breakpoint
ALTER TABLE `todos` ADD `notes` text;
--> statement-breakpoint
ALTER TABLE `todos` ADD `notes_folded` text;
--> statement-breakpoint
ALTER TABLE `todos` ADD `due_order` text GENERATED ALWAYS AS (CASE WHEN due_date IS NULL THEN '~' ELSE due_date || 'T' || coalesce(due_time, '~') END) VIRTUAL;
--> statement-breakpoint
ALTER TABLE `users` ADD `revision` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
ALTER TABLE `users` ADD `todo_count` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
ALTER TABLE `users` ADD `list_count` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
-- From here on by hand, but for the indexes. What there is already keeps its order, and counts.
UPDATE `todos` SET
	`position` = `id` * 1048576,
	`rev` = 1,
	-- Folding is lower case in a text that is ASCII alone; `todos/folding.ts` folds the others.
	`contents_folded` = CASE WHEN length(`contents`) = length(CAST(`contents` AS BLOB)) THEN lower(`contents`) END;
--> statement-breakpoint
UPDATE `users` SET `todo_count` = (SELECT count(*) FROM `todos` WHERE `user_id` = `users`.`id`);
--> statement-breakpoint
UPDATE `users` SET `revision` = 1 WHERE `todo_count` > 0;
--> statement-breakpoint
CREATE INDEX `todos_list` ON `todos` (`user_id`,`list_id`,`position`,`id`);
--> statement-breakpoint
CREATE INDEX `todos_due` ON `todos` (`user_id`,`due_order`,`id`);
--> statement-breakpoint
CREATE INDEX `todos_rev` ON `todos` (`user_id`,`rev`);
--> statement-breakpoint
CREATE INDEX `todos_unfolded` ON `todos` (`id`) WHERE contents_folded IS NULL;
--> statement-breakpoint
-- The rows that a limit is about are counted as they come and go. All triggers find no user while one is deleted.
CREATE TRIGGER `todos_counted` AFTER INSERT ON `todos` BEGIN
	UPDATE `users` SET `todo_count` = `todo_count` + 1 WHERE `id` = NEW.`user_id`;
END;
--> statement-breakpoint
CREATE TRIGGER `todos_uncounted` AFTER DELETE ON `todos` BEGIN
	UPDATE `users` SET `todo_count` = `todo_count` - 1 WHERE `id` = OLD.`user_id`;
END;
--> statement-breakpoint
CREATE TRIGGER `trash_counted` AFTER INSERT ON `trash` BEGIN
	UPDATE `users` SET `todo_count` = `todo_count` + 1 WHERE `id` = NEW.`user_id`;
END;
--> statement-breakpoint
CREATE TRIGGER `trash_uncounted` AFTER DELETE ON `trash` BEGIN
	UPDATE `users` SET `todo_count` = `todo_count` - 1 WHERE `id` = OLD.`user_id`;
END;
--> statement-breakpoint
CREATE TRIGGER `lists_counted` AFTER INSERT ON `lists` BEGIN
	UPDATE `users` SET `list_count` = `list_count` + 1 WHERE `id` = NEW.`user_id`;
END;
--> statement-breakpoint
CREATE TRIGGER `lists_uncounted` AFTER DELETE ON `lists` BEGIN
	UPDATE `users` SET `list_count` = `list_count` - 1 WHERE `id` = OLD.`user_id`;
END;
--> statement-breakpoint
-- A former version of the service may run beside this one. It knows nothing of revisions, so what it writes is told
-- by a `rev` that is not new, and the rest is done for it here.
CREATE TRIGGER `todos_inserted_without_rev` AFTER INSERT ON `todos` WHEN NEW.`rev` = 0 BEGIN
	UPDATE `users` SET `revision` = `revision` + 1 WHERE `id` = NEW.`user_id`;
	UPDATE `todos` SET
		`rev` = (SELECT `revision` FROM `users` WHERE `id` = NEW.`user_id`),
		`position` = 1048576 + (
			SELECT coalesce(max(`position`), 0) FROM `todos`
			WHERE `user_id` = NEW.`user_id` AND `list_id` IS NEW.`list_id`
		),
		`done_at` = iif(NEW.`is_done`, NEW.`created_at`, NULL),
		`contents_folded` = CASE
			WHEN length(NEW.`contents`) = length(CAST(NEW.`contents` AS BLOB)) THEN lower(NEW.`contents`)
		END
	WHERE `id` = NEW.`id`;
END;
--> statement-breakpoint
-- (A todo that repeats keeps its repeat when the former version ticks it off: nothing is lost, and to take the tick back
-- and tick it off again goes on with the series.)
CREATE TRIGGER `todos_updated_without_rev`
AFTER UPDATE OF `contents`, `is_done`, `updated_at` ON `todos` WHEN NEW.`rev` = OLD.`rev` BEGIN
	UPDATE `users` SET `revision` = `revision` + 1 WHERE `id` = NEW.`user_id`;
	UPDATE `todos` SET
		`rev` = (SELECT `revision` FROM `users` WHERE `id` = NEW.`user_id`),
		`done_at` = CASE
			WHEN NEW.`is_done` = OLD.`is_done` THEN OLD.`done_at`
			WHEN NEW.`is_done` THEN NEW.`updated_at`
		END,
		`contents_folded` = CASE
			WHEN NEW.`contents` = OLD.`contents` THEN OLD.`contents_folded`
			WHEN length(NEW.`contents`) = length(CAST(NEW.`contents` AS BLOB)) THEN lower(NEW.`contents`)
		END
	WHERE `id` = NEW.`id`;
END;
--> statement-breakpoint
-- This version puts a todo into the trash before it takes it away; what is in neither is gone for good.
CREATE TRIGGER `todos_deleted_without_rev`
AFTER DELETE ON `todos` WHEN NOT EXISTS (SELECT 1 FROM `trash` WHERE `id` = OLD.`id`) BEGIN
	UPDATE `users` SET `revision` = `revision` + 1 WHERE `id` = OLD.`user_id`;
	INSERT INTO `deletions` (`user_id`, `rev`, `type`, `id`, `created_at`)
	SELECT `id`, `revision`, 'todo', OLD.`id`, CAST(unixepoch('subsec') * 1000 AS INTEGER)
	FROM `users` WHERE `id` = OLD.`user_id`;
END;
