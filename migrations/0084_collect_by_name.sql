-- What everybody did of one name. Only a question that says it is about everybody (bucket >= 0) may go by it: of what one
-- person did, names that are not known yet to be many would be gone through in it, of everybody, once for each person.
create index collect_event_named on collect_event (name, at) where node_id is not null and bucket >= 0;
drop index collect_event_name;
