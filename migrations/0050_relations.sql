-- What one identity node told of another: pseudonyms only, no name of anybody. Written once, never changed, so that a
-- merge or an un-merge of persons rewrites none of it.
create table relations_fact (
  bucket smallint not null check (bucket between 0 and 255), -- of the node that told it
  node_id uuid not null,
  other_bucket smallint not null,
  other_node_id uuid not null, -- zeros: of nobody in particular, as a share to whoever it may be
  id uuid not null, -- the event, or the person's own act here
  act text not null,
  item text, -- the sku that was shared
  at timestamptz not null,
  primary key (bucket, node_id, other_bucket, other_node_id, id)
);
create index relations_fact_other on relations_fact (other_bucket, other_node_id);
grant select, insert, delete on relations_fact to liuke_app;

-- A row a person, held while their edges are worked out. From when on what is told of them counts; null: they have not
-- agreed, and are in nobody's list.
create table relations_person (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  counts_from timestamptz,
  primary key (bucket, person_id)
);
grant select, insert, update (counts_from), delete on relations_person to liuke_app;

-- Each edge from both ends, under the key of one person each. Worked out from the facts while both agree.
create table relations_edge (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  kind text not null,
  other_bucket smallint not null,
  other_person_id uuid not null,
  since timestamptz not null,
  accepted_at timestamptz, -- of an invitation
  times int not null default 1,
  items text[] not null default '{}',
  primary key (bucket, person_id, kind, other_person_id)
);
create index relations_edge_other on relations_edge (other_person_id);
grant select, insert, update, delete on relations_edge to liuke_app;
