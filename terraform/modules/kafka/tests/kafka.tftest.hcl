mock_provider "aws" {
  mock_resource "aws_msk_configuration" {
    defaults = {
      arn             = "arn:aws:kafka:eu-central-1:111122223333:configuration/audit/00000000-0000-0000-0000-000000000000-1"
      latest_revision = 1
    }
  }
  mock_resource "aws_msk_cluster" {
    defaults = { arn = "arn:aws:kafka:eu-central-1:111122223333:cluster/audit/00000000-0000-0000-0000-000000000000-1" }
  }
}

variables {
  name                      = "audit"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-a", "subnet-b", "subnet-c"]
  client_security_group_ids = ["sg-nodes"]
  kms_key_arn               = "arn:aws:kms:eu-central-1:111122223333:key/1"
  user_secret_arns          = ["arn:aws:secretsmanager:eu-central-1:111122223333:secret:AmazonMSK_audit"]
}

run "nothing_is_lost_and_nobody_listens" {
  command = plan
  assert {
    condition     = aws_msk_cluster.this.encryption_info[0].encryption_in_transit[0].client_broker == "TLS"
    error_message = "Clients speak TLS only."
  }
  assert {
    condition     = aws_msk_cluster.this.client_authentication[0].unauthenticated == false
    error_message = "Everybody has a name."
  }
  assert {
    condition = alltrue([for line in ["min.insync.replicas=2", "unclean.leader.election.enable=false", "auto.create.topics.enable=false"] :
    strcontains(aws_msk_configuration.this.server_properties, line)])
    error_message = "What exactly-once rests on."
  }
  assert {
    condition     = aws_msk_cluster.this.number_of_broker_nodes == 3
    error_message = "A broker in each zone."
  }
  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.clients) == ["sg-nodes"]
    error_message = "Only the clients that were named."
  }
}

run "two_zones_are_not_enough" {
  command = plan
  variables {
    subnet_ids = ["subnet-a", "subnet-b"]
  }
  expect_failures = [aws_msk_cluster.this]
}

run "an_instance_type_of_another_service_is_refused" {
  command = plan
  variables {
    broker_instance_type = "m7g.large"
  }
  expect_failures = [var.broker_instance_type]
}
