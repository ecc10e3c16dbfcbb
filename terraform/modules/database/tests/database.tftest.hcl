mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/audit-rds" }
  }
}

variables {
  name                      = "audit"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-a", "subnet-b", "subnet-c"]
  client_security_group_ids = ["sg-nodes"]
  kms_key_arn               = "arn:aws:kms:eu-central-1:111122223333:key/1"
}

run "the_primary_is_safe" {
  command = plan
  assert {
    condition     = aws_db_instance.primary.multi_az && aws_db_instance.primary.storage_encrypted && !aws_db_instance.primary.publicly_accessible
    error_message = "Two zones, encrypted, private."
  }
  assert {
    condition     = aws_db_instance.primary.deletion_protection && !aws_db_instance.primary.skip_final_snapshot && !aws_db_instance.primary.delete_automated_backups
    error_message = "It is not lost by mistake."
  }
  assert {
    condition     = aws_db_instance.primary.backup_retention_period == 35
    error_message = "Five weeks back."
  }
  assert {
    condition     = one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == "rds.force_ssl"]) == "1"
    error_message = "TLS is not a wish."
  }
}

run "one_replica_by_default_and_as_many_as_asked_for" {
  command = plan
  variables {
    replicas = 2
  }
  assert {
    condition     = [for replica in aws_db_instance.replica : replica.identifier] == ["audit-replica-1", "audit-replica-2"]
    error_message = "Replicas are counted from 1."
  }
  assert {
    condition     = length(aws_cloudwatch_log_group.this) == 3
    error_message = "Each server's log has its group, or nobody would ever delete it."
  }
}

run "an_old_postgresql_is_refused" {
  command = plan
  variables {
    engine_version = "14.12"
  }
  expect_failures = [var.engine_version]
}

run "short_backups_are_refused" {
  command = plan
  variables {
    backup_retention_days = 1
  }
  expect_failures = [var.backup_retention_days]
}
