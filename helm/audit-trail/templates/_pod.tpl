{{/* What all pods share: the restricted profile, the configuration, certificates. */}}

{{- define "audit.pod.security" -}}
{{- $default := dict "runAsNonRoot" true "runAsUser" 65532 "runAsGroup" 65532 "fsGroup" 65532 "seccompProfile" (dict "type" "RuntimeDefault") -}}
securityContext:
  {{- toYaml (mergeOverwrite $default (deepCopy .Values.podSecurityContext)) | nindent 2 }}
{{- end -}}

{{- define "audit.container.security" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* Variables of every program. (dict "root" . "component" "api") */}}
{{- define "audit.env.common" -}}
- name: AUDIT_CONFIG
  value: /etc/audit-trail/audit.toml
{{- if or .root.Values.tls.ca.existingSecret .root.Values.tls.ca.existingConfigMap }}
- name: SSL_CERT_FILE
  value: /etc/audit-trail/ca/ca.crt
{{- end }}
{{- end -}}

{{- define "audit.env.extra" -}}
{{- with .root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- with (index .root.Values .component).extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "audit.volumeMounts" -}}
- name: config
  mountPath: /etc/audit-trail/audit.toml
  subPath: audit.toml
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- if or .root.Values.tls.ca.existingSecret .root.Values.tls.ca.existingConfigMap }}
- name: ca
  mountPath: /etc/audit-trail/ca
  readOnly: true
{{- end }}
{{- if and (eq .component "api") .root.Values.tls.api.existingSecret }}
- name: api-tls
  mountPath: /etc/audit-trail/api-tls
  readOnly: true
{{- end }}
{{- if .root.Values.tls.kafkaClient.existingSecret }}
- name: kafka-client
  mountPath: /etc/audit-trail/kafka-client
  readOnly: true
{{- end }}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- with (index .root.Values .component).extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* (dict "root" . "component" "api" "configMap" name) */}}
{{- define "audit.volumes" -}}
- name: config
  configMap:
    name: {{ .configMap }}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- with .root.Values.tls.ca }}
{{- if .existingSecret }}
- name: ca
  secret:
    secretName: {{ .existingSecret }}
    items:
      - {key: {{ .key | quote }}, path: ca.crt}
{{- else if .existingConfigMap }}
- name: ca
  configMap:
    name: {{ .existingConfigMap }}
    items:
      - {key: {{ .key | quote }}, path: ca.crt}
{{- end }}
{{- end }}
{{- if eq .component "api" }}
{{- with .root.Values.tls.api }}
{{- if .existingSecret }}
- name: api-tls
  secret:
    secretName: {{ .existingSecret }}
    items:
      - {key: {{ .certificateKey | quote }}, path: tls.crt}
      - {key: {{ .privateKeyKey | quote }}, path: tls.key}
{{- end }}
{{- end }}
{{- end }}
{{- with .root.Values.tls.kafkaClient }}
{{- if .existingSecret }}
- name: kafka-client
  secret:
    secretName: {{ .existingSecret }}
    items:
      - {key: {{ .certificateKey | quote }}, path: tls.crt}
      - {key: {{ .privateKeyKey | quote }}, path: tls.key}
{{- end }}
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- with (index .root.Values .component).extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Scheduling of a component's pods: spread over zones and machines unless the values say otherwise. */}}
{{- define "audit.pod.placement" -}}
{{- $values := index .root.Values .component -}}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if not .once }}
topologySpreadConstraints:
  {{- if $values.topologySpreadConstraints }}
  {{- toYaml $values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  {{- $context := . }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "audit.selector" $context | nindent 8 }}
  {{- end }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "audit.pod.metadata" -}}
{{- $values := index .root.Values .component -}}
labels:
  {{- include "audit.labels" . | nindent 2 }}
  {{- with $values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  {{- /* A changed configuration is read at start only. */}}
  checksum/config: {{ include "audit.toml" .root | sha256sum }}
  {{- with merge (dict) $values.podAnnotations .root.Values.commonAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* One daemon's pod. (dict "root" . "component" "api" "program" "audit-api" "env" "…" "ports" "…" "readyPort" "http") */}}
{{- define "audit.pod.daemon" -}}
{{- $values := index .root.Values .component -}}
metadata:
  {{- include "audit.pod.metadata" . | nindent 2 }}
spec:
  serviceAccountName: {{ include "audit.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- include "audit.pod.security" .root | nindent 2 }}
  terminationGracePeriodSeconds: {{ int64 $values.terminationGracePeriodSeconds }}
  {{- with include "audit.pod.placement" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  containers:
    - name: {{ .program }}
      image: {{ include "audit.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command: [/usr/local/bin/{{ .program }}]
      {{- include "audit.container.security" . | nindent 6 }}
      env:
        {{- include "audit.env.common" . | nindent 8 }}
        {{- .env | trim | nindent 8 }}
        {{- with include "audit.env.extra" . | trim }}
        {{- . | nindent 8 }}
        {{- end }}
      ports:
        {{- if eq .component "api" }}
        - {name: http, containerPort: 8080, protocol: TCP}
        {{- end }}
        - {name: metrics, containerPort: 9464, protocol: TCP}
      startupProbe:
        httpGet: {path: /health/live, port: metrics}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /health/live, port: metrics}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /health/ready, port: {{ .readyPort }}{{ if and (eq .component "api") .root.Values.tls.api.existingSecret }}, scheme: HTTPS{{ end }}}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 3
      {{- if eq .component "api" }}
      {{- if $values.preStopSeconds }}
      lifecycle:
        preStop:
          sleep: {seconds: {{ int64 $values.preStopSeconds }}}
      {{- end }}
      {{- end }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      volumeMounts:
        {{- include "audit.volumeMounts" . | nindent 8 }}
  volumes:
    {{- include "audit.volumes" (merge (dict "configMap" (include "audit.fullname" .root)) .) | nindent 4 }}
{{- end -}}
