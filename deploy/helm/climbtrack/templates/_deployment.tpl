{{/* The Deployment of one of our services; called with (dict "root" $ "component" "worker"). */}}
{{- define "climbtrack.deployment" -}}
{{- $values := index .root.Values (include "climbtrack.section" .component) }}
{{- $name := printf "%s-%s" (include "climbtrack.name" .root) .component }}
{{- $gpu := and (eq .component "worker") (gt (int .root.Values.worker.gpus) 0) }}
{{- $most := include "climbtrack.cameraPartitions" .root | int }}
{{- if and (eq .component "worker") (gt (int $values.replicas) $most) }}
{{- fail (printf "worker.replicas = %d: at most kafka.settings.camera_partitions, %d; more workers would idle" (int $values.replicas) $most) }}
{{- end }}
{{- $scaled := and (eq .component "worker") .root.Values.worker.autoscaling.enabled }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels: {{- include "climbtrack.labels" . | nindent 4 }}
spec:
  {{- if eq .component "recorder" }}
  # One process writes the folder, so that the old one ends before the new one starts.
  replicas: 1
  strategy: {type: Recreate}
  {{- else }}
  {{- if not $scaled }}
  replicas: {{ $values.replicas }}
  {{- end }}
  # A worker on a GPU makes room before its successor starts; all others start first, so that somebody always works.
  strategy:
    rollingUpdate: {{ if $gpu }}{maxSurge: 0, maxUnavailable: 1}{{ else }}{maxSurge: 1, maxUnavailable: 0}{{ end }}
  {{- end }}
  selector:
    matchLabels: {{- include "climbtrack.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "climbtrack.labels" . | nindent 8 }}
        {{- with .root.Values.podLabels }}{{ toYaml . | nindent 8 }}{{ end }}
      annotations:
        checksum/config: {{ include "climbtrack.config" .root | sha256sum }}
        {{- if eq .component "ingest" }}
        checksum/cameras: {{ .root.Values.cameras | toJson | sha256sum }}
        {{- end }}
        {{- with .root.Values.podAnnotations }}{{ toYaml . | nindent 8 }}{{ end }}
    spec:
      serviceAccountName: {{ include "climbtrack.name" .root }}
      automountServiceAccountToken: false
      # The variables that links add for a Service, CLIMBTRACK_API_PORT among them, would be taken for settings.
      enableServiceLinks: false
      terminationGracePeriodSeconds: 30
      securityContext: {runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001, fsGroup: 10001, fsGroupChangePolicy: OnRootMismatch, seccompProfile: {type: RuntimeDefault}}
      {{- with .root.Values.image.pullSecrets }}
      imagePullSecrets: {{- range . }}{{ dict "name" . | list | toYaml | nindent 8 }}{{ end }}
      {{- end }}
      {{- if and (eq .component "ingest") $values.hostNetwork }}
      hostNetwork: true
      dnsPolicy: ClusterFirstWithHostNet
      {{- end }}
      {{- if and $gpu .root.Values.worker.runtimeClassName }}
      runtimeClassName: {{ .root.Values.worker.runtimeClassName }}
      {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with include "climbtrack.affinity" . }}
      affinity: {{- . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.topologySpread }}
      topologySpreadConstraints:
        {{- range . }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- include "climbtrack.selector" $ | nindent 14 }}
        {{- end }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: "{{ .root.Values.image.repository }}/{{ .component }}{{ if $gpu }}-cuda{{ end }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: [{{ .component }}, --config, /etc/climbtrack/site.yaml]
          env:
            - {name: XDG_CACHE_HOME, value: {{ ternary "/var/cache" "/tmp" (eq .component "worker") }}}
            {{- if and .root.Values.tracing.existingSecret (include "climbtrack.exportsTraces" .) }}
            - name: OTEL_EXPORTER_OTLP_HEADERS
              valueFrom: {secretKeyRef: {name: {{ .root.Values.tracing.existingSecret }}, key: headers}}
            {{- end }}
            {{- with $values.extraEnv }}{{ toYaml . | nindent 12 }}{{ end }}
          ports:
            - {name: http, containerPort: {{ include "climbtrack.port" . }}}
          # Models are loaded, and with tensorrt compiled, or recordings are listed before the port is open.
          startupProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 5, failureThreshold: {{ ternary 240 24 (has .component (list "worker" "recorder")) }}}
          livenessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3}
          readinessProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 5, timeoutSeconds: 5}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
          {{- $resources := deepCopy $values.resources }}
          {{- if $gpu }}
          {{- $gpus := dict .root.Values.worker.gpuResource (int .root.Values.worker.gpus) }}
          {{- $_ := set $resources "limits" (merge $gpus ($resources.limits | default dict)) }}
          {{- end }}
          resources: {{- toYaml $resources | nindent 12 }}
          volumeMounts:
            - {name: config, mountPath: /etc/climbtrack, readOnly: true}
            - {name: tmp, mountPath: /tmp}
            {{- if .root.Values.kafka.existingSecret }}
            - {name: kafka-secret, mountPath: /run/secrets/kafka, readOnly: true}
            {{- end }}
            {{- if and .root.Values.redis.existingSecret (include "climbtrack.usesRedis" .component) }}
            - {name: redis-secret, mountPath: /run/secrets/redis, readOnly: true}
            {{- end }}
            {{- if and (eq .component "api") .root.Values.api.existingSecret }}
            - {name: api-secret, mountPath: /run/secrets/api, readOnly: true}
            {{- end }}
            {{- if eq .component "worker" }}
            - {name: cache, mountPath: /var/cache/climbtrack}
            {{- if .root.Values.worker.cropsClaim }}
            - {name: crops, mountPath: /var/lib/climbtrack/crops}
            {{- end }}
            {{- end }}
            {{- if include "climbtrack.mountsRecordings" . }}
            - {name: recordings, mountPath: /var/lib/climbtrack/recordings{{ if eq .component "api" }}, readOnly: true{{ end }}}
            {{- end }}
            {{- with $values.extraVolumeMounts }}{{ toYaml . | nindent 12 }}{{ end }}
      volumes:
        - name: config
          {{- if eq .component "ingest" }}
          secret: {secretName: {{ include "climbtrack.camerasSecret" .root }}, defaultMode: 0440}
          {{- else }}
          configMap: {name: {{ include "climbtrack.name" .root }}}
          {{- end }}
        - name: tmp
          # The API cuts up to four clips at once there, of five minutes each.
          emptyDir: {sizeLimit: {{ ternary "2Gi" "512Mi" (and (eq .component "api") .root.Values.recording.enabled) }}}
        {{- if .root.Values.kafka.existingSecret }}
        - name: kafka-secret
          secret: {secretName: {{ .root.Values.kafka.existingSecret }}, defaultMode: 0440}
        {{- end }}
        {{- if and .root.Values.redis.existingSecret (include "climbtrack.usesRedis" .component) }}
        - name: redis-secret
          secret: {secretName: {{ .root.Values.redis.existingSecret }}, defaultMode: 0440}
        {{- end }}
        {{- if and (eq .component "api") .root.Values.api.existingSecret }}
        - name: api-secret
          secret: {secretName: {{ .root.Values.api.existingSecret }}, defaultMode: 0440}
        {{- end }}
        {{- if eq .component "worker" }}
        - name: cache
          {{- with .root.Values.worker.cache }}
          {{- if .existingClaim }}
          persistentVolumeClaim: {claimName: {{ .existingClaim }}}
          {{- else }}
          emptyDir: {sizeLimit: {{ .sizeLimit }}}
          {{- end }}
          {{- end }}
        {{- with .root.Values.worker.cropsClaim }}
        - name: crops
          persistentVolumeClaim: {claimName: {{ . }}}
        {{- end }}
        {{- end }}
        {{- if include "climbtrack.mountsRecordings" . }}
        - name: recordings
          persistentVolumeClaim: {claimName: {{ include "climbtrack.recordingsClaim" .root }}}
        {{- end }}
        {{- with $values.extraVolumes }}{{ toYaml . | nindent 8 }}{{ end }}
{{- end }}
