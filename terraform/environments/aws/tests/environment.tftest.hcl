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

override_resource {
  target          = module.keys.aws_kms_key.this
  override_during = plan
  values          = { arn = "arn:aws:kms:eu-central-1:111122223333:key/1", key_id = "1" }
}

variables {
  name                    = "audit-prod"
  region                  = "eu-central-1"
  vpc_id                  = "vpc-1"
  private_subnet_ids      = ["subnet-a", "subnet-b", "subnet-c"]
  node_security_group_ids = ["sg-nodes"]
  oidc_provider_arn       = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABC"
  access_log_bucket       = "access-logs"
}

run "the_whole_environment_plans_without_what_is_optional" {
  command = plan
  assert {
    condition     = length(module.broker) == 0 && length(module.cache) == 0
    error_message = "RabbitMQ and the cache are for those who ask."
  }
  assert {
    condition     = output.rabbitmq_endpoint == null
    error_message = "There is none."
  }
}

run "and_with_it" {
  command = plan
  variables {
    rabbitmq_password = "not-a-real-password"
    cache_auth_token  = "not-a-real-token-of-anybody"
    database_replicas = 2
  }
  assert {
    condition     = length(module.broker) == 1 && length(module.cache) == 1
    error_message = "Both were asked for."
  }
}

run "two_zones_are_refused" {
  command = plan
  variables {
    private_subnet_ids = ["subnet-a", "subnet-b"]
  }
  expect_failures = [var.private_subnet_ids]
}
