mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
}

variables {
  name              = "audit"
  kms_key_arn       = "arn:aws:kms:eu-central-1:111122223333:key/1"
  access_log_bucket = "access-logs"
}

run "seven_years_that_nobody_can_shorten" {
  command = plan
  assert {
    condition     = aws_s3_bucket.this.object_lock_enabled && aws_s3_bucket.this.bucket == "audit-archive-111122223333"
    error_message = "The lock is made with the bucket, or never."
  }
  assert {
    condition     = one(aws_s3_bucket_object_lock_configuration.this.rule).default_retention[0].mode == "COMPLIANCE" && one(aws_s3_bucket_object_lock_configuration.this.rule).default_retention[0].years == 7
    error_message = "E01: seven years."
  }
  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Enabled"
    error_message = "Object Lock needs versions."
  }
  assert {
    condition     = aws_s3_bucket_public_access_block.this.restrict_public_buckets && aws_s3_bucket_public_access_block.this.block_public_policy
    error_message = "Never public."
  }
}

run "half_a_year_is_refused" {
  command = plan
  variables {
    retention_years = 0.5
  }
  expect_failures = [var.retention_years]
}

run "an_unknown_mode_is_refused" {
  command = plan
  variables {
    mode = "SOMETIMES"
  }
  expect_failures = [var.mode]
}
