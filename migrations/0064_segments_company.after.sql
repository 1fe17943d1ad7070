select id from segments_segment where rule @? 'strict $.** ? (@.kind == "sample" && exists(@.percent))';
select id from segments_snapshot where rule @? 'strict $.** ? (@.kind == "sample" && exists(@.percent))';
