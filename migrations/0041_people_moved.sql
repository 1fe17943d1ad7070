-- Somebody who was in both arms of an experiment leaves its analysis and is counted.
alter table experiments_assignment add column crossed boolean not null default false;
grant update (crossed) on experiments_assignment to liuke_app;
