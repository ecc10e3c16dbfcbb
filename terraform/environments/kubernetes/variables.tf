variable "kubeconfig" {
  description = "The kubeconfig file."
  type        = string
  default     = "~/.kube/config"
}

variable "context" {
  description = "Its context."
  type        = string
}

variable "image_repository" {
  description = "Where the image is."
  type        = string
}

variable "image_digest" {
  description = "sha256:…."
  type        = string
}

variable "bootstrap_servers" {
  description = "Brokers."
  type        = string
}

variable "registry_url" {
  description = "The registry's Confluent API."
  type        = string
}

variable "issuer" {
  description = "The iss of tokens."
  type        = string
}

variable "jwks_url" {
  description = "The identity provider's keys."
  type        = string
}

variable "value_files" {
  description = "More values, such as helm/values/production.yaml."
  type        = list(string)
  default     = []
}
