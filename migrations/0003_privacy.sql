-- The data key of an identity node, wrapped by the master key. Whoever destroys it, destroys what it sealed.
-- A table of its own, because it is left out of the data's backup and has one of its own.
create table privacy_node_key (
  bucket smallint not null check (bucket between 0 and 255),
  node_id uuid not null,
  wrapped bytea not null,
  primary key (bucket, node_id)
);
grant select, insert, delete on privacy_node_key to liuke_app;

-- What an erased person's identifiers were, as blind indexes: events dated before are refused.
create table privacy_tombstone (
  blind bytea primary key,
  at timestamptz not null -- shop clock
);
grant select, insert, update on privacy_tombstone to liuke_app;

-- Erasures asked for and how far they have come: keys and rows of PostgreSQL go in one transaction, columns after it.
create table privacy_erasure (
  id uuid primary key,
  bucket smallint not null,
  person_id uuid not null,
  node_buckets smallint[] not null,
  node_ids uuid[] not null,
  asked_at timestamptz not null, -- machine clock
  columns_at timestamptz, -- machine clock: when the columns were clean
  settled_at timestamptz -- machine clock: when nothing could be on its way any more, and all was gone over once again
);
create index privacy_erasure_open on privacy_erasure (asked_at) where settled_at is null;
create index privacy_erasure_person on privacy_erasure (bucket, person_id);
grant select, insert, update (columns_at, settled_at) on privacy_erasure to liuke_app;
