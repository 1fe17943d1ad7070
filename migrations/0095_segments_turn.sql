-- Whoever changes what is asked takes the whole table, behind which whoever looks at people queues: of a row alone,
-- those who share it would be let in past whoever waits for all of it.
grant update on segments_state to liuke_app;
