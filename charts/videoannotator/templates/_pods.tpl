{{/* What all our pods and containers have in common. */}}

{{/* Of a pod: the profile "restricted" of Pod Security. */}}
{{- define "videoannotator.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.security.runAsUser | int64 }}
  runAsGroup: {{ .Values.security.runAsGroup | int64 }}
  fsGroup: {{ .Values.security.fsGroup | int64 }}
  # Without it a large volume is walked through at every start.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "videoannotator.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "videoannotator.controlImage" -}}
image: {{ include "videoannotator.image" (list . .Values.image.control) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{/* Where the pods of a component go: (list $ "api"). Copies keep apart where they can. */}}
{{- define "videoannotator.placement" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}{{- $given := index $root.Values $component -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "videoannotator.selector" (list $root $component) | nindent 8 }}
{{- with $given.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $given.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $given.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $given.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* One variable out of a Secret: (list "VARIABLE" "secret" "key"). */}}
{{- define "videoannotator.secretVariable" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end -}}

{{/* The address of the database: (list $ "name of the Secret"). */}}
{{- define "videoannotator.databaseVariable" -}}
{{- include "videoannotator.secretVariable" (list "VIDEOANNOTATOR_DATABASE__URL" (index . 1) (include "videoannotator.databaseKey" (index . 0))) -}}
{{- end -}}

{{/* What api and scheduler both keep secret. */}}
{{- define "videoannotator.secretVariables" -}}
{{- $secret := include "videoannotator.sharedSecret" . -}}
{{ include "videoannotator.databaseVariable" (list . (include "videoannotator.databaseSecret" .)) }}
{{ include "videoannotator.secretVariable" (list "VIDEOANNOTATOR_RPC__INTERNAL_TOKEN" $secret .Values.auth.internalTokenKey) }}
{{- if and (eq .Values.storage.kind "s3") .Values.storage.s3.existingSecret }}
{{ include "videoannotator.secretVariable" (list "VIDEOANNOTATOR_STORAGE__ACCESS_KEY_ID" .Values.storage.s3.existingSecret .Values.storage.s3.accessKeyIdKey) }}
{{ include "videoannotator.secretVariable" (list "VIDEOANNOTATOR_STORAGE__SECRET_ACCESS_KEY" .Values.storage.s3.existingSecret .Values.storage.s3.secretAccessKeyKey) }}
{{- end }}
{{- end -}}

{{/* Waits until the migration has run, and says in its log what is amiss. */}}
{{- define "videoannotator.waitForSchema" -}}
- name: wait-for-schema
  {{- include "videoannotator.controlImage" . | nindent 2 }}
  command: [python, -m, videoannotator.store, wait]
  env:
    {{- include "videoannotator.databaseVariable" (list . (include "videoannotator.databaseSecret" .)) | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  resources:
    requests: {cpu: 20m, memory: 96Mi}
    limits: {memory: 256Mi}
  {{- include "videoannotator.containerSecurity" . | nindent 2 }}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
{{- end -}}

{{/* Volumes of api and scheduler. */}}
{{- define "videoannotator.volumes" -}}
- name: tmp
  emptyDir: {}
- name: storage
  {{- if eq .Values.storage.kind "volume" }}
  persistentVolumeClaim:
    claimName: {{ include "videoannotator.storageClaim" . }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ .Values.storage.s3.scratchSize }}
  {{- end }}
- name: site
  configMap:
    name: {{ include "videoannotator.fullname" . }}-site
{{- with .Values.rpc.certificateSecret }}
- name: certificates
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end -}}

{{- define "videoannotator.volumeMounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: storage, mountPath: /var/lib/videoannotator}
- {name: site, mountPath: /etc/videoannotator/site, readOnly: true}
{{- if .Values.rpc.certificateSecret }}
- {name: certificates, mountPath: /etc/videoannotator/certificates, readOnly: true}
{{- end }}
{{- end -}}

{{/* Changed settings or pipelines start new pods of api and scheduler; workers run on. */}}
{{- define "videoannotator.checksums" -}}
checksum/settings: {{ include "videoannotator.allSettings" . | sha256sum }}
checksum/site: {{ include "videoannotator.site" . | sha256sum }}
{{- with .Values.database.url }}
# Too short to guess a password by.
checksum/database: {{ sha256sum . | trunc 6 | quote }}
{{- end }}
{{- end -}}

{{- define "videoannotator.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: telemetry}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: telemetry}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: telemetry}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}
