mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
}

variables {
  name   = "audit"
  region = "eu-central-1"
}

run "the_key_rotates_and_dies_slowly" {
  command = plan
  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "A key that is lost is data that is lost."
  }
}

run "a_bad_name_is_refused" {
  command = plan
  variables {
    name = "Audit Trail"
  }
  expect_failures = [var.name]
}

run "a_bad_region_is_refused" {
  command = plan
  variables {
    region = "Frankfurt"
  }
  expect_failures = [var.region]
}
