{{/* audit.toml, and the variables that carry secrets. */}}

{{/* A value as TOML. Helm reads numbers as floats, which the programs would refuse for whole ones. */}}
{{- define "audit.toml.value" -}}
{{- if kindIs "string" . -}}
{{ toJson . }}
{{- else if kindIs "bool" . -}}
{{ . }}
{{- else if kindIs "slice" . -}}
[{{ range $index, $item := . }}{{ if $index }}, {{ end }}{{ include "audit.toml.value" $item }}{{ end }}]
{{- else if kindIs "map" . -}}
{ {{ $first := true }}{{ range $key, $item := . }}{{ if not $first }}, {{ end }}{{ $first = false }}{{ toJson $key }} = {{ include "audit.toml.value" $item }}{{ end }} }
{{- else if eq (float64 .) (floor .) -}}
{{ int64 . }}
{{- else -}}
{{ . }}
{{- end -}}
{{- end -}}

{{/* Kafka's properties with the certificates that tls mounts. */}}
{{- define "audit.kafka.properties" -}}
{{- $properties := dict -}}
{{- if or .Values.tls.ca.existingSecret .Values.tls.ca.existingConfigMap -}}
{{- $_ := set $properties "ssl.ca.location" "/etc/audit-trail/ca/ca.crt" -}}
{{- end -}}
{{- if .Values.tls.kafkaClient.existingSecret -}}
{{- $_ := set $properties "ssl.certificate.location" "/etc/audit-trail/kafka-client/tls.crt" -}}
{{- $_ := set $properties "ssl.key.location" "/etc/audit-trail/kafka-client/tls.key" -}}
{{- end -}}
{{- toJson (merge (dict) (.Values.config.kafka.properties | default dict) $properties) -}}
{{- end -}}

{{- define "audit.toml" -}}
{{- $sections := deepCopy .Values.config -}}
{{- $kafka := $sections.kafka -}}
{{- $_ := required "config.kafka.bootstrap_servers: host:port of your brokers, with commas between them" $kafka.bootstrap_servers -}}
{{- $_ := required "config.registry.url: the base URL of the registry's Confluent API" $sections.registry.url -}}
{{- $_ := required "config.auth.issuer: the only iss that tokens may have" $sections.auth.issuer -}}
{{- $_ := required "config.auth.audience: the aud that tokens must name" $sections.auth.audience -}}
{{- /* With secrets the whole table is a variable, which wins; here it would only mislead. */ -}}
{{- $properties := include "audit.kafka.properties" . | fromJson -}}
{{- if or .Values.secrets.kafka.enabled (empty $properties) -}}
{{- $_ := unset $kafka "properties" -}}
{{- else -}}
{{- $_ := set $kafka "properties" $properties -}}
{{- end -}}
# Written by the Helm chart from its values. Secrets come as variables.
{{- range $section, $keys := $sections }}
{{- if $keys }}

[{{ $section }}]
{{- range $key, $value := $keys }}
{{ $key }} = {{ include "audit.toml.value" $value }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* One variable from a Secret. (dict "root" . "secret" .Values.secrets.… "variable" "AUDIT_…" "key" "database.api_url") */}}
{{- define "audit.env.secret" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ required "secrets.existingSecret: the Secret with the database URLs and keys" (.secret.existingSecret | default .root.Values.secrets.existingSecret) }}
      key: {{ .secret.key }}
{{- end -}}

{{/* Variables for everybody who speaks with Kafka and the registry. */}}
{{- define "audit.env.messaging" -}}
{{- $secrets := .Values.secrets -}}
{{- if $secrets.kafka.enabled }}
{{ include "audit.env.secret" (dict "root" . "secret" $secrets.kafka.username "variable" "KAFKA_USERNAME") }}
{{ include "audit.env.secret" (dict "root" . "secret" $secrets.kafka.password "variable" "KAFKA_PASSWORD") }}
{{- $items := list }}
{{- range $name, $value := include "audit.kafka.properties" . | fromJson }}
{{- if or (contains "," $value) (contains "=" $value) }}
{{- fail (printf "config.kafka.properties.\"%s\": with secrets.kafka the properties become one variable, so a value can hold neither a comma nor an equals sign" $name) }}
{{- end }}
{{- $items = append $items (printf "%s=%s" $name $value) }}
{{- end }}
- name: AUDIT_KAFKA__PROPERTIES
  value: {{ join "," (concat $items (list "sasl.username=$(KAFKA_USERNAME)" "sasl.password=$(KAFKA_PASSWORD)")) | quote }}
{{- end }}
{{- if $secrets.registry.enabled }}
{{ include "audit.env.secret" (dict "root" . "secret" $secrets.registry.username "variable" "AUDIT_REGISTRY__USERNAME") }}
{{ include "audit.env.secret" (dict "root" . "secret" $secrets.registry.password "variable" "AUDIT_REGISTRY__PASSWORD") }}
{{- end }}
{{- end -}}

{{/* A role's database URL. (dict "root" . "role" "api_url") */}}
{{- define "audit.env.database" -}}
{{ include "audit.env.secret" (dict "root" .root "secret" (index .root.Values.secrets.database .role) "variable" (printf "AUDIT_DATABASE__%s" (upper .role))) }}
{{- end -}}

{{/* The standby that reads go to. */}}
{{- define "audit.env.replica" -}}
{{- if .Values.secrets.database.replica }}
{{ include "audit.env.database" (dict "root" . "role" "replica_url") }}
{{- end }}
{{- end -}}

{{/* The broker of the older services. */}}
{{- define "audit.env.rabbitmq" -}}
{{ include "audit.env.secret" (dict "root" . "secret" .Values.secrets.rabbitmq.url "variable" "AUDIT_RABBITMQ__URL") }}
{{- if or .Values.tls.ca.existingSecret .Values.tls.ca.existingConfigMap }}
- name: AUDIT_RABBITMQ__CA_FILE
  value: /etc/audit-trail/ca/ca.crt
{{- end }}
{{- end -}}

{{/* What the API needs for the files of POST /audit/export. */}}
{{- define "audit.env.exports" -}}
{{- $secrets := .Values.secrets.exports -}}
{{- if $secrets.links }}
{{ include "audit.env.secret" (dict "root" . "secret" $secrets.link_secret "variable" "AUDIT_EXPORTS__LINK_SECRET") }}
{{- end }}
{{- if $secrets.credentials }}
{{ include "audit.env.secret" (dict "root" . "secret" $secrets.access_key_id "variable" "AUDIT_EXPORTS__ACCESS_KEY_ID") }}
{{ include "audit.env.secret" (dict "root" . "secret" $secrets.secret_access_key "variable" "AUDIT_EXPORTS__SECRET_ACCESS_KEY") }}
{{- end }}
{{- end -}}

{{/* The API's own certificate. */}}
{{- define "audit.env.https" -}}
{{- if .Values.tls.api.existingSecret }}
- name: AUDIT_API__TLS_CERTIFICATE_FILE
  value: /etc/audit-trail/api-tls/tls.crt
- name: AUDIT_API__TLS_KEY_FILE
  value: /etc/audit-trail/api-tls/tls.key
{{- end }}
{{- end -}}

{{- define "audit.env.auth" -}}
{{- if eq (.Values.config.auth.algorithm | default "HS256") "HS256" }}
{{ include "audit.env.secret" (dict "root" . "secret" .Values.secrets.auth.secret "variable" "AUDIT_AUTH__SECRET") }}
{{- end }}
{{- end -}}
