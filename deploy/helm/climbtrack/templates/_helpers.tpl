{{- define "climbtrack.name" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains "climbtrack" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-climbtrack" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Labels that select the pods of a component; called with (dict "root" $ "component" "worker"). */}}
{{- define "climbtrack.selector" -}}
app.kubernetes.io/name: climbtrack
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "climbtrack.labels" -}}
{{ include "climbtrack.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* All components that run. */}}
{{- define "climbtrack.components" -}}
ingest worker gallery alerts api{{ if .Values.recording.enabled }} recorder{{ end }}
{{- end }}

{{/* The section of a component in the values and settings. */}}
{{- define "climbtrack.section" -}}
{{- ternary "recording" . (eq . "recorder") }}
{{- end }}

{{/* The port that a component listens on, unless its settings say otherwise: as in deploy/topology.py. */}}
{{- define "climbtrack.port" -}}
{{- $own := index .root.Values (include "climbtrack.section" .component) "settings" }}
{{- if eq .component "api" }}{{ $own.port | default 8080 }}
{{- else }}{{ $own.health_port | default (index (dict "ingest" 9101 "worker" 9102 "gallery" 9103 "alerts" 9104 "recorder" 9105) .component) }}{{ end }}
{{- end }}

{{- define "climbtrack.kafkaServers" -}}
{{- if .Values.kafka.bundled }}{{ include "climbtrack.name" . }}-kafka:9092
{{- else }}{{ required "kafka.servers: name your brokers (host:port, comma-separated), or set kafka.bundled for a trial" .Values.kafka.servers }}{{ end }}
{{- end }}

{{- define "climbtrack.redisUrl" -}}
{{- if .Values.redis.bundled }}redis://{{ include "climbtrack.name" . }}-redis:6379/0
{{- else }}{{ required "redis.url: name your Redis (redis://host:port/db), or set redis.bundled for a trial" .Values.redis.url }}{{ end }}
{{- end }}

{{/* Settings that follow from the keys of a server's Secret; called with (dict "section" "kafka" "values" .Values.kafka). */}}
{{- define "climbtrack.secretSettings" -}}
{{- $password := ternary "sasl_password_file" "password_file" (eq .section "kafka") }}
{{- $settings := dict "sasl-password" $password "password" $password "ca.crt" "ssl_ca_file" "tls.crt" "ssl_certificate_file" "tls.key" "ssl_key_file" "tls-key-password" "ssl_key_password_file" "sentinel-password" "sentinel_password_file" }}
{{- $found := dict }}
{{- if .values.existingSecret }}
{{- range .values.secretKeys }}{{ $_ := set $found (index $settings .) (printf "/run/secrets/%s/%s" $.section .) }}{{ end }}
{{- else if .values.secretKeys }}{{ fail (printf "%s.secretKeys: name the Secret in %s.existingSecret" .section .section) }}{{ end }}
{{- $found | toYaml }}
{{- end }}

{{/* The configuration file of all services, without cameras. */}}
{{- define "climbtrack.config" -}}
{{- $kafka := mergeOverwrite (dict "servers" (include "climbtrack.kafkaServers" .)) (include "climbtrack.secretSettings" (dict "section" "kafka" "values" .Values.kafka) | fromYaml) .Values.kafka.settings }}
{{- $redis := mergeOverwrite (dict "url" (include "climbtrack.redisUrl" .)) (include "climbtrack.secretSettings" (dict "section" "redis" "values" .Values.redis) | fromYaml) .Values.redis.settings }}
{{- $api := mergeOverwrite (dict "host" "0.0.0.0") (ternary (dict "token_file" "/run/secrets/api/token") (dict) (ne .Values.api.existingSecret "")) .Values.api.settings }}
{{- $worker := mergeOverwrite (dict "health_host" "0.0.0.0") (ternary (dict "keep_crops" "/var/lib/climbtrack/crops") (dict) (ne .Values.worker.cropsClaim "")) .Values.worker.settings }}
{{- $recording := mergeOverwrite (dict "health_host" "0.0.0.0") .Values.recording.settings }}
{{- dict "site" .Values.site "kafka" $kafka "redis" $redis "api" $api "worker" $worker
  "tracing" (include "climbtrack.tracing" . | fromYaml)
  "recording" (ternary $recording dict .Values.recording.enabled)
  "ingest" (mergeOverwrite (dict "health_host" "0.0.0.0") .Values.ingest.settings)
  "gallery" (mergeOverwrite (dict "health_host" "0.0.0.0") .Values.gallery.settings)
  "alerts" (mergeOverwrite (dict "health_host" "0.0.0.0") .Values.alerts.settings) | toYaml }}
{{- end }}

{{- define "climbtrack.tracing" -}}
{{- if .Values.tracing.sampleRatio }}
{{- $endpoint := required "tracing.endpoint: name your collector (http://host:4318/v1/traces), or set tracing.sampleRatio to 0" .Values.tracing.endpoint }}
{{- dict "sample_ratio" .Values.tracing.sampleRatio "endpoint" $endpoint | toYaml }}
{{- else }}{}{{ end }}
{{- end }}

{{/* Whether a component exports traces, as all do but the API; called with (dict "root" $ "component" "worker"). */}}
{{- define "climbtrack.exportsTraces" -}}
{{- if and .root.Values.tracing.sampleRatio (ne .component "api") }}true{{ end }}
{{- end }}

{{- define "climbtrack.camerasSecret" -}}
{{- .Values.camerasSecret | default (printf "%s-cameras" (include "climbtrack.name" .)) }}
{{- end }}

{{/* How many workers can share the cameras. */}}
{{- define "climbtrack.cameraPartitions" -}}
{{- .Values.kafka.settings.camera_partitions | default 32 | int }}
{{- end }}

{{/* Which servers a component talks to. */}}
{{- define "climbtrack.usesRedis" -}}
{{- if has . (list "gallery" "alerts" "api" "recorder") }}true{{ end }}
{{- end }}

{{/* Whether a component mounts the recordings. */}}
{{- define "climbtrack.mountsRecordings" -}}
{{- if and .root.Values.recording.enabled (has .component (list "recorder" "api")) }}true{{ end }}
{{- end }}

{{/* Whether a component has to be on one node with others, since only one node can mount the recordings. */}}
{{- define "climbtrack.sharesNode" -}}
{{- if and (include "climbtrack.mountsRecordings" .) (eq .root.Values.recording.storage.accessMode "ReadWriteOnce") }}true{{ end }}
{{- end }}

{{- define "climbtrack.recordingsClaim" -}}
{{- .Values.recording.existingClaim | default (printf "%s-recordings" (include "climbtrack.name" .)) }}
{{- end }}

{{/* The affinity of a component: that of its values and, on a shared node, the API's to the recorder. The recorder only
prefers the node of the API, since one of both has to come first. */}}
{{- define "climbtrack.affinity" -}}
{{- $affinity := deepCopy (index .root.Values (include "climbtrack.section" .component)).affinity }}
{{- if include "climbtrack.sharesNode" . }}
{{- $pods := $affinity.podAffinity | default dict }}
{{- $other := dict "root" .root "component" (ternary "recorder" "api" (eq .component "api")) }}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (include "climbtrack.selector" $other | fromYaml)) }}
{{- if eq .component "api" }}
{{- $_ := set $pods "requiredDuringSchedulingIgnoredDuringExecution" (append ($pods.requiredDuringSchedulingIgnoredDuringExecution | default list) $term) }}
{{- else }}
{{- $_ := set $pods "preferredDuringSchedulingIgnoredDuringExecution" (append ($pods.preferredDuringSchedulingIgnoredDuringExecution | default list) (dict "weight" 100 "podAffinityTerm" $term)) }}
{{- end }}
{{- $_ := set $affinity "podAffinity" $pods }}
{{- end }}
{{- if $affinity }}{{ toYaml $affinity }}{{ end }}
{{- end }}
