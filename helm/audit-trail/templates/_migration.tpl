{{/* The migration: trailctl, step by step. */}}

{{- define "audit.migration.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{- define "audit.migration.pod" }}
{{- $context := dict "root" . "component" "migration" "once" true }}
{{- $values := .Values.migration }}
metadata:
  {{- include "audit.pod.metadata" $context | nindent 2 }}
spec:
  restartPolicy: OnFailure
  serviceAccountName: {{ include "audit.serviceAccountName" $context }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- include "audit.pod.security" . | nindent 2 }}
  {{- with include "audit.pod.placement" $context | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- $steps := list (dict "name" "migrate" "arguments" (list "migrate")) }}
  {{- if $values.bootstrap }}
  {{- $steps = list (dict "name" "migrate" "arguments" (list "migrate" "--bootstrap")) }}
  {{- end }}
  {{- if $values.topics }}
  {{- $steps = append $steps (dict "name" "topics" "arguments" (list "topics" "apply")) }}
  {{- end }}
  {{- if $values.schemas }}
  {{- $steps = append $steps (dict "name" "schemas" "arguments" (list "schemas" "apply")) }}
  {{- end }}
  {{- range $index, $step := $steps }}
  {{- if eq (add1 $index) (len $steps) }}
  containers:
  {{- else if eq $index 0 }}
  # One after the other: the last is the container.
  initContainers:
  {{- end }}
    - name: {{ $step.name }}
      image: {{ include "audit.image" $ }}
      imagePullPolicy: {{ $.Values.image.pullPolicy }}
      command: [/usr/local/bin/trailctl]
      args: {{ toJson $step.arguments }}
      {{- include "audit.container.security" $ | nindent 6 }}
      env:
        {{- include "audit.env.common" $context | nindent 8 }}
        {{- if eq $step.name "migrate" }}
        {{- $roles := list "migrator_url" }}
        {{- if $values.bootstrap }}
        {{- $roles = list "superuser_url" "migrator_url" "ingestor_url" "api_url" "projector_url" "operator_url" "retention_url" }}
        {{- end }}
        {{- range $roles }}
        {{- include "audit.env.database" (dict "root" $ "role" .) | nindent 8 }}
        {{- end }}
        {{- else }}
        {{- with include "audit.env.messaging" $ | trim }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- end }}
        {{- with include "audit.env.extra" $context | trim }}
        {{- . | nindent 8 }}
        {{- end }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      volumeMounts:
        {{- include "audit.volumeMounts" $context | nindent 8 }}
  {{- end }}
  volumes:
    {{- $configMap := include "audit.fullname" . }}
    {{- if eq $values.mode "hook" }}
    {{- $configMap = printf "%s-migration" $configMap }}
    {{- end }}
    {{- include "audit.volumes" (merge (dict "configMap" $configMap) $context) | nindent 4 }}
{{- end -}}
