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

variable "retention_years" {
  description = "No object can be deleted or changed for so long, by nobody."
  type        = number
  default     = 7
  validation {
    condition     = var.retention_years >= 1 && var.retention_years <= 100 && floor(var.retention_years) == var.retention_years
    error_message = "Give whole years, 1 to 100."
  }
}

variable "mode" {
  description = "COMPLIANCE: not even the account's root can shorten it. GOVERNANCE: who has the right for it can."
  type        = string
  default     = "COMPLIANCE"
  validation {
    condition     = contains(["COMPLIANCE", "GOVERNANCE"], var.mode)
    error_message = "Give COMPLIANCE or GOVERNANCE."
  }
}

variable "access_log_bucket" {
  description = "A bucket that exists, for the log of accesses."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9.-]{3,63}$", var.access_log_bucket))
    error_message = "Give the name of a bucket."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}

