CREATE TABLE `commits` (
	`id` integer PRIMARY KEY NOT NULL,
	`count` integer NOT NULL
);
