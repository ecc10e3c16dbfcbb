variable "name" {
  description = "Prefix of every name."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "Give 3 to 32 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "kms_key_arn" {
  description = "The key for data at rest (module keys)."
  type        = string
  validation {
    condition     = can(regex("^arn:[^:]+:kms:", var.kms_key_arn))
    error_message = "Give the ARN of a KMS key."
  }
}

variable "oidc_provider_arn" {
  description = "The cluster's OIDC provider in IAM."
  type        = string
  validation {
    condition     = strcontains(var.oidc_provider_arn, ":oidc-provider/")
    error_message = "Give the ARN of an IAM OIDC provider."
  }
}

variable "namespace" {
  description = "Where the chart is installed."
  type        = string
  default     = "audit"
}

variable "service_accounts" {
  description = "Service accounts that get a role, each with what it may do."
  type = map(object({
    read_secret_arns  = optional(list(string), [])
    write_bucket_arns = optional(list(string), [])
  }))
  validation {
    condition     = alltrue([for account in var.service_accounts : length(account.read_secret_arns) + length(account.write_bucket_arns) > 0])
    error_message = "An account that may do nothing needs no role."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}

