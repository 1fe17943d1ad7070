-- A share that is no whole number of basis points could not be kept as it is.
select id from segments_segment
where rule @? 'strict $.** ? (@.kind == "sample" && @.percent * 100 != (@.percent * 100).floor())';
