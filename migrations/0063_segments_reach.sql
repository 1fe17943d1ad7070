-- Whose tags of one name end soon: asked for every segment every day, and few of very many.
create index people_tag_ends on people_tag (tag, expires_at) where expires_at is not null;
-- Somebody's identifiers, without a look at each one's row: the way from a person to what they did.
create index people_node_of on people_node (person_bucket, person_id) include (bucket, node_id, split);
drop index people_node_person;
