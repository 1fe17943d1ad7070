-- Whose an event was that was set aside: it goes with them when their data are erased.
alter table collect_parked add column node_id uuid;
create index collect_parked_node on collect_parked (bucket, node_id) where node_id is not null;
