alter table person_node add column if not exists spans Array(Tuple(from_at DateTime64(3, 'UTC'), from_id String, person_id UUID));
