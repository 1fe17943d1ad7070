create table segments_segment (
  id uuid primary key,
  code text unique, -- of a definition that Liuke brings; null for the shop's own
  name_zh text not null,
  name_en text not null,
  rule jsonb not null,
  purpose text not null check (purpose in ('marketing', 'service', 'analysis')),
  version int not null, -- counts the rules it has had
  defined_at timestamptz not null, -- shop clock
  refreshed_at timestamptz -- shop clock: when all of it was last worked out
);
grant select, insert, update, delete on segments_segment to liuke_app;

create table segments_member (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  segment_id uuid not null,
  since timestamptz not null, -- shop clock
  cause_kind text check (cause_kind in ('tag', 'event')), -- a line of the tag log, or an event
  cause uuid,
  primary key (bucket, person_id, segment_id),
  check ((cause_kind is null) = (cause is null))
);
create index segments_member_segment on segments_member (segment_id, bucket, person_id);
create table segments_log (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  id uuid not null,
  segment_id uuid not null,
  version int not null, -- of the rule that let them in or out
  change text not null check (change in ('entered', 'left')),
  cause_kind text check (cause_kind in ('tag', 'event')),
  cause uuid,
  at timestamptz not null, -- shop clock
  primary key (bucket, person_id, id)
);
create index segments_log_segment on segments_log (segment_id, at);
create index segments_log_cause on segments_log (cause) where cause is not null;
grant select, insert, update, delete on segments_member, segments_log to liuke_app;
