-- The way to a person: the bucket is chosen once, when the person is made.
create table people_way (
  person_id uuid primary key,
  bucket smallint not null check (bucket between 0 and 255)
);
grant select, insert, delete on people_way to liuke_app;

create table people_person (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  source_id uuid not null, -- where it was first seen
  seen_at timestamptz not null, -- when its first event happened
  primary key (bucket, person_id)
);
grant select, insert, update, delete on people_person to liuke_app;

-- An identity node is what one sending identifier is. It never changes; whose it is may.
create table people_node (
  bucket smallint not null check (bucket between 0 and 255), -- hash of source and sending identifier
  node_id uuid not null,
  source_id uuid not null,
  type text not null, -- user_id, anonymous_id, email, phone, device
  sealed bytea not null, -- the identifier under the node's key
  person_bucket smallint not null,
  person_id uuid not null,
  version bigint not null default 1, -- counts the persons it has belonged to
  shipped boolean not null default false, -- do the columns know whose it is?
  primary key (bucket, node_id)
);
create index people_node_unshipped on people_node (bucket, node_id) where not shipped;
create index people_node_person on people_node (person_bucket, person_id);
grant select, insert, update, delete on people_node to liuke_app;

-- Looked up by a value: the blind index of every identifier holds only the way.
create table people_identifier (
  blind bytea primary key,
  bucket smallint not null,
  node_id uuid not null
);
create index people_identifier_node on people_identifier (bucket, node_id);
grant select, insert, delete on people_identifier to liuke_app;

-- {name: {v: value, s: source, at: when it became so, c: confidence 0 to 1}}. Derived fields only.
create table people_profile (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  attributes jsonb not null default '{}',
  updated_at timestamptz not null, -- shop clock
  primary key (bucket, person_id)
);
grant select, insert, update, delete on people_profile to liuke_app;

-- Direct fields (name, e-mail, phone, address): sealed under the key of the node that brought them.
create table people_field (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  field text not null,
  node_bucket smallint not null,
  node_id uuid not null,
  sealed bytea not null,
  source text not null,
  at timestamptz not null,
  primary key (bucket, person_id, field)
);
grant select, insert, update, delete on people_field to liuke_app;

create table people_tag (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  tag text not null,
  value text not null,
  kind text not null check (kind in ('rule', 'statistic', 'model', 'hand')),
  source text not null,
  reason jsonb not null, -- figures that the sentence is made of
  confidence real not null default 1,
  at timestamptz not null, -- shop clock
  expires_at timestamptz,
  log_id uuid not null,
  primary key (bucket, person_id, tag)
);
create index people_tag_value on people_tag (tag, value);
create table people_tag_log (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  id uuid not null,
  tag text not null,
  before text,
  after text, -- null: taken away
  source text not null,
  reason jsonb not null,
  cause uuid, -- the event that brought the change; null where time alone did
  at timestamptz not null, -- shop clock
  primary key (bucket, person_id, id)
);
create index people_tag_log_cause on people_tag_log (cause) where cause is not null;
grant select, insert, update, delete on people_tag, people_tag_log to liuke_app;
