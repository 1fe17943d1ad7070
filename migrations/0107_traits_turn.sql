-- As with segments: a declaration takes the whole table, behind which whoever looks at people queues.
grant update on traits_state to liuke_app;
