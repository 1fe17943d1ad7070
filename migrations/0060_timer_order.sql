-- What is due is looked for from where the last look ended, so the index goes by time alone: behind that point lie the
-- remains of timers that have rung, which a long read elsewhere may keep from being cleared for minutes.
create index timer_order on timer (kind, due_at);
drop index timer_due;
-- Rows come and go all day: they are cleared soon after the last reader that could see them, not at a fifth of the table.
alter table timer set (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_threshold = -1
);
alter table outbox set (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_threshold = -1
);
