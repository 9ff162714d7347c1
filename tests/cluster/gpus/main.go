// Command gpus offers the kubelet GPUs that are not there: as many as the file says that it is given.
// Kubelet and scheduler treat them as those of a vendor's plugin; a container is told which it has.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const (
	resource = "nvidia.com/gpu"
	endpoint = "test-gpus.sock"
	poll     = 100 * time.Millisecond
)

type plugin struct {
	api.UnimplementedDevicePluginServer
	file string
}

func main() {
	file := flag.String("number-file", "", "how many GPUs there are")
	flag.Parse()
	for {
		if err := serve(&plugin{file: *file}); err != nil {
			log.Print(err)
		}
		time.Sleep(poll)
	}
}

// serve ends when the kubelet is started anew, which removes every plugin's socket.
func serve(offered *plugin) error {
	socket := filepath.Join(api.DevicePluginPath, endpoint)
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	defer server.Stop()
	api.RegisterDevicePluginServer(server, offered)
	go server.Serve(listener)
	if err := register(); err != nil {
		return err
	}
	for err == nil {
		time.Sleep(poll)
		_, err = os.Stat(socket)
	}
	return nil
}

func register() error {
	connection, err := grpc.NewClient(
		"unix://"+api.KubeletSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	within, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err = api.NewRegistrationClient(connection).Register(within, &api.RegisterRequest{
		Version: api.Version, Endpoint: endpoint, ResourceName: resource,
	})
	return err
}

func (offered *plugin) GetDevicePluginOptions(
	context.Context, *api.Empty,
) (*api.DevicePluginOptions, error) {
	return &api.DevicePluginOptions{}, nil
}

// ListAndWatch tells the devices now, and whenever their number changes.
func (offered *plugin) ListAndWatch(
	_ *api.Empty, stream grpc.ServerStreamingServer[api.ListAndWatchResponse],
) error {
	told := -1
	for stream.Context().Err() == nil {
		if number := offered.number(); number != told {
			if err := stream.Send(devices(number)); err != nil {
				return err
			}
			told = number
		}
		time.Sleep(poll)
	}
	return nil
}

func (offered *plugin) Allocate(
	_ context.Context, asked *api.AllocateRequest,
) (*api.AllocateResponse, error) {
	answer := &api.AllocateResponse{}
	for _, container := range asked.ContainerRequests {
		given := strings.Join(container.DevicesIds, ",")
		answer.ContainerResponses = append(answer.ContainerResponses, &api.ContainerAllocateResponse{
			Envs: map[string]string{"NVIDIA_VISIBLE_DEVICES": given},
		})
	}
	return answer, nil
}

func (offered *plugin) number() int {
	text, err := os.ReadFile(offered.file)
	if err != nil {
		return 0
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return number
}

func devices(number int) *api.ListAndWatchResponse {
	answer := &api.ListAndWatchResponse{}
	for index := range number {
		device := &api.Device{ID: fmt.Sprintf("gpu-%d", index), Health: api.Healthy}
		answer.Devices = append(answer.Devices, device)
	}
	return answer
}
