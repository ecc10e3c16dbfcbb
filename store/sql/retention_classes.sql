-- retention_classes: the classes that have partitions
select name from audit.retention_classes
