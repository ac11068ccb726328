// Decode the custom resources of a rendered chart into the Go types of who acts on them, and name each on a line:
//
//	helm template climbtrack deploy/helm/climbtrack | decode-resources
//
// A field that these types do not have, or whose value is of another type, is an error. What is of Kubernetes itself is
// left to kubernetes-validate.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	stream "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

var groups = []string{"keda.sh/", "monitoring.coreos.com/"}

var types = map[string]func() meta.Object{
	"keda.sh/v1alpha1 ScaledObject":           func() meta.Object { return &keda.ScaledObject{} },
	"keda.sh/v1alpha1 TriggerAuthentication":  func() meta.Object { return &keda.TriggerAuthentication{} },
	"monitoring.coreos.com/v1 PrometheusRule": func() meta.Object { return &monitoring.PrometheusRule{} },
	"monitoring.coreos.com/v1 ServiceMonitor": func() meta.Object { return &monitoring.ServiceMonitor{} },
}

// decode returns the kind and name of a resource, or nothing if it is not of one of the groups.
func decode(text []byte) (string, error) {
	var of meta.TypeMeta
	if err := yaml.Unmarshal(text, &of); err != nil {
		return "", err
	}
	known := false
	for _, group := range groups {
		known = known || strings.HasPrefix(of.APIVersion, group)
	}
	if !known {
		return "", nil
	}
	make, found := types[of.APIVersion+" "+of.Kind]
	if !found {
		return "", fmt.Errorf("no type for %s %s", of.APIVersion, of.Kind)
	}
	resource := make()
	if err := yaml.UnmarshalStrict(text, resource); err != nil {
		return "", fmt.Errorf("%s: %w", of.Kind, err)
	}
	return of.Kind + " " + resource.GetName(), nil
}

func run(in io.Reader, out io.Writer) error {
	reader := stream.NewYAMLReader(bufio.NewReader(in))
	for {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		named, err := decode(text)
		if err != nil {
			return err
		}
		if named != "" {
			fmt.Fprintln(out, named)
		}
	}
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
