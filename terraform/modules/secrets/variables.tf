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

variable "kafka_users" {
  description = "Users of Kafka that get a secret for SCRAM, such as audit-ingestor."
  type        = set(string)
  default     = ["audit-trail"]
  validation {
    condition     = alltrue([for user in var.kafka_users : can(regex("^[a-z][a-z0-9-]+$", user))])
    error_message = "Give lower-case letters, digits and hyphens."
  }
}

variable "recovery_days" {
  description = "How long a deleted secret can be brought back."
  type        = number
  default     = 30
  validation {
    condition     = var.recovery_days >= 7 && var.recovery_days <= 30
    error_message = "Give 7 to 30 days."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}

