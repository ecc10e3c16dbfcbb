mock_provider "aws" {}

variables {
  name                      = "audit"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-a", "subnet-b", "subnet-c"]
  client_security_group_ids = ["sg-nodes"]
  kms_key_arn               = "arn:aws:kms:eu-central-1:111122223333:key/1"
  password                  = "not-a-real-password"
}

run "three_nodes_private_and_encrypted" {
  command = plan
  assert {
    condition     = aws_mq_broker.this.deployment_mode == "CLUSTER_MULTI_AZ" && !aws_mq_broker.this.publicly_accessible
    error_message = "Three nodes that the world cannot see."
  }
  assert {
    condition     = aws_mq_broker.this.encryption_options[0].kms_key_id == var.kms_key_arn
    error_message = "Under our key."
  }
  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.clients : rule.from_port] == [5671]
    error_message = "TLS only."
  }
}

run "a_password_that_amazon_mq_refuses_is_refused_here" {
  command = plan
  variables {
    password = "with:colon,and=more"
  }
  expect_failures = [var.password]
}
