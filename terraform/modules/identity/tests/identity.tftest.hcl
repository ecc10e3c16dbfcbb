mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name              = "audit"
  kms_key_arn       = "arn:aws:kms:eu-central-1:111122223333:key/1"
  oidc_provider_arn = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABC"
  service_accounts = {
    external-secrets = { read_secret_arns = ["arn:aws:secretsmanager:eu-central-1:111122223333:secret:audit/application"] }
    backup           = { write_bucket_arns = ["arn:aws:s3:::audit-archive"] }
  }
}

run "each_account_may_do_its_own" {
  command = plan
  assert {
    condition     = one(data.aws_iam_policy_document.trust["backup"].statement).condition != null
    error_message = "Nobody else may take the role."
  }
  assert {
    condition = anytrue([for condition in one(data.aws_iam_policy_document.trust["backup"].statement).condition :
    condition.variable == "oidc.eks.eu-central-1.amazonaws.com/id/ABC:sub" && tolist(condition.values)[0] == "system:serviceaccount:audit:backup"])
    error_message = "One name in one namespace."
  }
  assert {
    condition     = !anytrue([for statement in data.aws_iam_policy_document.permissions["backup"].statement : statement.sid == "ReadSecrets"])
    error_message = "Who writes backups reads no secrets."
  }
  assert {
    condition     = !anytrue(flatten([for statement in data.aws_iam_policy_document.permissions["backup"].statement : [for action in statement.actions : strcontains(action, "Delete")]]))
    error_message = "Nobody deletes."
  }
}

run "an_account_without_rights_is_refused" {
  command = plan
  variables {
    service_accounts = { idle = {} }
  }
  expect_failures = [var.service_accounts]
}
