variable "namespace" {
  description = "Where it is installed; made here."
  type        = string
  default     = "audit"
}

variable "release" {
  description = "The release's name."
  type        = string
  default     = "audit-trail"
}

variable "chart" {
  description = "The chart: a folder, or oci://…."
  type        = string
}

variable "chart_version" {
  description = "The chart's version; null for a folder."
  type        = string
  default     = null
}

variable "image_repository" {
  description = "Where the image is."
  type        = string
}

variable "image_digest" {
  description = "The image's digest, which the release's attestation names."
  type        = string
  validation {
    condition     = can(regex("^sha256:[0-9a-f]{64}$", var.image_digest))
    error_message = "Give sha256: and 64 hexadecimal digits."
  }
}

variable "existing_secret" {
  description = "The Secret that holds what the chart's secrets name."
  type        = string
  default     = "audit-trail"
}

variable "bootstrap_servers" {
  description = "Brokers."
  type        = string
  validation {
    condition     = length(var.bootstrap_servers) > 0
    error_message = "Give host:port, with commas between them."
  }
}

variable "kafka_cluster_name" {
  description = "kafka.cluster: part of the evidence; never change it."
  type        = string
  default     = "default"
}

variable "kafka_sasl" {
  description = "SASL/SCRAM over TLS, with user and password from the Secret."
  type        = bool
  default     = true
}

variable "registry_url" {
  description = "The registry's Confluent API."
  type        = string
  validation {
    condition     = can(regex("^https?://", var.registry_url))
    error_message = "Give a URL."
  }
}

variable "issuer" {
  description = "The iss of tokens."
  type        = string
}

variable "audience" {
  description = "The aud of tokens."
  type        = string
  default     = "audit-trail"
}

variable "jwks_url" {
  description = "The identity provider's keys; null: HS256 with the Secret's auth.secret."
  type        = string
  default     = null
}

variable "token_algorithm" {
  description = "With jwks_url."
  type        = string
  default     = "RS256"
  validation {
    condition     = contains(["RS256", "ES256", "EdDSA"], var.token_algorithm)
    error_message = "Give RS256, ES256 or EdDSA."
  }
}

variable "values" {
  description = "More values of the chart, as YAML documents; later ones win."
  type        = list(string)
  default     = []
}
