variable "name" {
  description = "Prefix of every name."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "Give 3 to 32 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "Give the id of a VPC, vpc-…"
  }
}

variable "subnet_ids" {
  description = "Private subnets, each in another zone."
  type        = list(string)
  validation {
    condition     = length(var.subnet_ids) >= 2 && alltrue([for id in var.subnet_ids : startswith(id, "subnet-")])
    error_message = "Give at least two subnet ids, subnet-…"
  }
}

variable "client_security_group_ids" {
  description = "Security groups of those who may connect: the nodes or pods of the cluster."
  type        = list(string)
  validation {
    condition     = length(var.client_security_group_ids) > 0
    error_message = "Give at least one: nobody else can connect."
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

variable "engine_version" {
  description = "RabbitMQ, as Amazon MQ names it."
  type        = string
  default     = "3.13"
}

variable "instance_type" {
  description = "Size of each of the three nodes."
  type        = string
  default     = "mq.m5.large"
  validation {
    condition     = startswith(var.instance_type, "mq.")
    error_message = "Give an instance type of Amazon MQ, mq.…"
  }
}

variable "username" {
  description = "The bridge's user."
  type        = string
  default     = "audit-bridge"
}

variable "password" {
  description = "Its password, 12 to 250 characters without commas, colons and equals signs."
  type        = string
  sensitive   = true
  validation {
    condition     = can(regex("^[^,:=]{12,250}$", var.password))
    error_message = "Give 12 to 250 characters without commas, colons and equals signs."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}

