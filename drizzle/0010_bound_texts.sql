ALTER TABLE `kept_answers` ADD `list_id` integer;
--> statement-breakpoint
ALTER TABLE `todos` ADD `text_size` integer GENERATED ALWAYS AS (length(CAST(contents AS BLOB)) + coalesce(length(CAST(contents_folded AS BLOB)), 0) + coalesce(length(CAST(notes AS BLOB)), 0) + coalesce(length(CAST(notes_folded AS BLOB)), 0)) VIRTUAL;
--> statement-breakpoint
ALTER TABLE `trash` ADD `text_size` integer GENERATED ALWAYS AS (length(CAST(contents AS BLOB)) + coalesce(length(CAST(contents_folded AS BLOB)), 0) + coalesce(length(CAST(notes AS BLOB)), 0) + coalesce(length(CAST(notes_folded AS BLOB)), 0)) VIRTUAL;
--> statement-breakpoint
ALTER TABLE `users` ADD `text_size` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
-- From here on by hand. The texts that a limit is about are measured where their rows are counted.
UPDATE `users` SET `text_size` =
	(SELECT coalesce(sum(`todos`.`text_size`), 0) FROM `todos` WHERE `todos`.`user_id` = `users`.`id`)
	+ (SELECT coalesce(sum(`trash`.`text_size`), 0) FROM `trash` WHERE `trash`.`user_id` = `users`.`id`);
--> statement-breakpoint
DROP TRIGGER `todos_counted`;
--> statement-breakpoint
CREATE TRIGGER `todos_counted` AFTER INSERT ON `todos` BEGIN
	UPDATE `users` SET `todo_count` = `todo_count` + 1, `text_size` = `text_size` + NEW.`text_size`
	WHERE `id` = NEW.`user_id`;
END;
--> statement-breakpoint
DROP TRIGGER `todos_uncounted`;
--> statement-breakpoint
CREATE TRIGGER `todos_uncounted` AFTER DELETE ON `todos` BEGIN
	UPDATE `users` SET `todo_count` = `todo_count` - 1, `text_size` = `text_size` - OLD.`text_size`
	WHERE `id` = OLD.`user_id` AND `deleted_at` IS NULL;
END;
--> statement-breakpoint
DROP TRIGGER `trash_counted`;
--> statement-breakpoint
CREATE TRIGGER `trash_counted` AFTER INSERT ON `trash` BEGIN
	UPDATE `users` SET `todo_count` = `todo_count` + 1, `text_size` = `text_size` + NEW.`text_size`
	WHERE `id` = NEW.`user_id`;
END;
--> statement-breakpoint
DROP TRIGGER `trash_uncounted`;
--> statement-breakpoint
CREATE TRIGGER `trash_uncounted` AFTER DELETE ON `trash` BEGIN
	UPDATE `users` SET `todo_count` = `todo_count` - 1, `text_size` = `text_size` - OLD.`text_size`
	WHERE `id` = OLD.`user_id` AND `deleted_at` IS NULL;
END;
--> statement-breakpoint
CREATE TRIGGER `todos_resized`
AFTER UPDATE OF `contents`, `contents_folded`, `notes`, `notes_folded` ON `todos` BEGIN
	UPDATE `users` SET `text_size` = `text_size` + NEW.`text_size` - OLD.`text_size`
	WHERE `id` = NEW.`user_id`;
END;
