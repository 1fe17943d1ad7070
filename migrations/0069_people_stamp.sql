-- Changes whenever somebody comes to have other nodes or other stretches of a shared one: what a process remembers of what
-- they did holds as long as their stamp does. A number is never given twice, so nobody who comes back looks as before.
create sequence people_stamp;
grant usage on sequence people_stamp to liuke_app;
alter table people_person add column stamp bigint not null default nextval('people_stamp');
