-- Records of a file that say no time are dated when the file was first told of, so that whoever goes on with it later, or
-- mends a line of it, dates them as they were.
alter table collect_import add column told_at timestamptz; -- the shop's clock; null: as it was started
