-- Each time that all of a segment was worked out and somebody came or went.
create table segments_recount (
  segment_id uuid not null,
  at timestamptz not null, -- shop clock
  version int not null,
  entered int not null,
  gone int not null,
  asked int not null, -- of so many of them, what brought it about was looked for
  primary key (segment_id, at)
);
grant select, insert, update on segments_recount to liuke_app;
