mock_provider "aws" {}

variables {
  name                      = "audit"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-a", "subnet-b"]
  client_security_group_ids = ["sg-nodes"]
  kms_key_arn               = "arn:aws:kms:eu-central-1:111122223333:key/1"
  auth_token                = "not-a-real-token-of-anybody"
}

run "encrypted_both_ways_and_failing_over" {
  command = plan
  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_mode == "required" && aws_elasticache_replication_group.this.at_rest_encryption_enabled == "true"
    error_message = "TLS, and our key."
  }
  assert {
    condition     = aws_elasticache_replication_group.this.automatic_failover_enabled && aws_elasticache_replication_group.this.multi_az_enabled
    error_message = "A zone may go."
  }
}

run "one_node_is_refused" {
  command = plan
  variables {
    nodes = 1
  }
  expect_failures = [var.nodes]
}
