# Empty shelves with names: Terraform's state never holds a secret's value. Whoever may, puts them in
# (aws secretsmanager put-secret-value), and External Secrets brings them into the cluster (terraform/README.md).
locals {
  # The keys that the chart reads, by their configuration keys.
  application = "${var.name}/application"
}

resource "aws_secretsmanager_secret" "application" {
  #checkov:skip=CKV2_AWS_57:A database role or Kafka user changes its password together with the programs that use it; no function of AWS can do that.
  name                    = local.application
  description             = "One JSON object: database.*_url, auth.secret, kafka.username, kafka.password, registry.*, rabbitmq.url"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_days
  tags                    = var.tags
}

# MSK takes SCRAM users from secrets of this name only, {"username": …, "password": …}, under a key of our own.
resource "aws_secretsmanager_secret" "kafka" {
  #checkov:skip=CKV2_AWS_57:A database role or Kafka user changes its password together with the programs that use it; no function of AWS can do that.
  for_each                = var.kafka_users
  name                    = "AmazonMSK_${var.name}_${each.key}"
  description             = "SCRAM user ${each.key} of ${var.name}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_days
  tags                    = var.tags
}

data "aws_iam_policy_document" "kafka" {
  for_each = aws_secretsmanager_secret.kafka
  statement {
    sid       = "KafkaReads"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [each.value.arn]
    principals {
      type        = "Service"
      identifiers = ["kafka.amazonaws.com"]
    }
  }
}

resource "aws_secretsmanager_secret_policy" "kafka" {
  for_each   = aws_secretsmanager_secret.kafka
  secret_arn = each.value.arn
  policy     = data.aws_iam_policy_document.kafka[each.key].json
}
