mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:x" }
  }
}

variables {
  name        = "audit"
  kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/1"
  kafka_users = ["audit-trail", "orders"]
}

run "shelves_for_every_user" {
  assert {
    condition     = [for secret in aws_secretsmanager_secret.kafka : secret.name] == ["AmazonMSK_audit_audit-trail", "AmazonMSK_audit_orders"]
    error_message = "MSK takes no other names."
  }
  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.kafka : secret.kms_key_id == var.kms_key_arn])
    error_message = "MSK refuses the default key."
  }
  assert {
    condition     = length(output.kafka_user_secret_arns) == 2
    error_message = "Each is handed on."
  }
}

run "a_user_that_cannot_be_a_name_is_refused" {
  command = plan
  variables {
    kafka_users = ["Orders Service"]
  }
  expect_failures = [var.kafka_users]
}
