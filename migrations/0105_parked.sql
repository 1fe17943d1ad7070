-- What a consumer of the log could not work through, so that it went on without it. Where it could not become anybody's
-- profile and figures, the event left the log for the list of what is not taken, from which it can be sent again.
create table collect_parked (
  consumer text not null,
  bucket smallint not null check (bucket between 0 and 255),
  "offset" bigint not null,
  event_id uuid not null,
  source_id uuid not null,
  rejected_id uuid, -- its line of the list; null: it stays in the log
  fault text not null, -- a code
  at timestamptz not null, -- machine clock
  columns_at timestamptz, -- when the columns had lost it too
  primary key (bucket, "offset", consumer)
);
create index collect_parked_columns on collect_parked (at) where columns_at is null;
grant select, insert, update, delete on collect_parked to liuke_app;
