-- Counts the erasures that took nodes of a bucket away. Whoever writes events holds the bucket's row by then, so a node
-- that was remembered from an earlier count is known to be outdated before anything is written under it.
alter table collect_offset add column epoch bigint not null default 0;
grant update (epoch) on collect_offset to liuke_app;
-- Every transaction that takes events updates these rows: room for it in their own pages.
alter table collect_offset set (fillfactor = 30);

-- Keys come in order of time: ranges of pages are enough to find the old ones, and cost nothing to keep.
drop index collect_message_key_at;
create index collect_message_key_at on collect_message_key using brin (at);
