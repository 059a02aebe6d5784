// Trains one step, samples, and decodes the recorded responses, with openapi-generator's client.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	tinker "example.com/tinker"
)

var text = []int64{84, 104, 101, 32, 113}
var ctx = context.WithValue(context.Background(), tinker.ContextAPIKeys,
	map[string]tinker.APIKey{"ApiKey": {Key: "tml-any"}})

func check(err error) {
	if err == nil {
		return
	}
	if answered, ok := err.(*tinker.GenericOpenAPIError); ok {
		fmt.Fprintln(os.Stderr, string(answered.Body()))
	}
	panic(err)
}

func connect(url string) *tinker.APIClient {
	configuration := tinker.NewConfiguration()
	configuration.Servers = tinker.ServerConfigurations{{URL: url}}
	return tinker.NewAPIClient(configuration)
}

func retrieve(client *tinker.APIClient, requestID string) interface{} {
	body := *tinker.NewFutureRetrieveRequest(requestID)
	value, _, err := client.FuturesAPI.RetrieveFuture(ctx).FutureRetrieveRequest(body).Execute()
	check(err)
	return value
}

func waitFor(client *tinker.APIClient, requestID string, into interface{}) {
	for {
		value := retrieve(client, requestID).(map[string]interface{})
		if value["type"] == "try_again" {
			continue
		}
		if value["error"] != nil {
			panic(value["error"])
		}
		convert(value, into)
		return
	}
}

func convert(value interface{}, into interface{}) {
	encoded, err := json.Marshal(value)
	check(err)
	check(json.Unmarshal(encoded, into))
}

func write(value interface{}) {
	encoded, err := json.Marshal(value)
	check(err)
	fmt.Println(string(encoded))
}

func newOf(model string) interface{} {
	switch model {
	case "CreateModelResponse":
		return &tinker.CreateModelResponse{}
	case "ForwardBackwardOutput":
		return &tinker.ForwardBackwardOutput{}
	case "OptimStepResponse":
		return &tinker.OptimStepResponse{}
	case "SampleResponse":
		return &tinker.SampleResponse{}
	case "SaveWeightsForSamplerResponse":
		return &tinker.SaveWeightsForSamplerResponse{}
	case "RequestFailedResponse":
		return &tinker.RequestFailedResponse{}
	case "TryAgainResponse":
		return &tinker.TryAgainResponse{}
	}
	panic(model)
}

func main() {
	client := connect(os.Getenv("TINKER_BASE_URL"))
	metadata := map[string]interface{}{}
	opening := *tinker.NewCreateSessionRequest([]string{}, metadata, "0.4.1")
	session, _, err := client.SessionsAPI.CreateSession(ctx).CreateSessionRequest(opening).Execute()
	check(err)
	creating := *tinker.NewCreateModelRequest(session.SessionId, 0, "embedded/tiny")
	creating.SetLoraConfig(*tinker.NewLoraConfig(4))
	request, _, err := client.ModelsAPI.CreateModel(ctx).CreateModelRequest(creating).Execute()
	check(err)
	model := tinker.CreateModelResponse{}
	waitFor(client, request.RequestId, &model)

	chunk := tinker.EncodedTextChunkAsModelInputChunk(tinker.NewEncodedTextChunk(text, "encoded_text"))
	prompt := *tinker.NewModelInput([]tinker.ModelInputChunk{chunk})
	targets := tinker.NewTensorData([]float64{84, 104, 101, 32, 113}, tinker.TensorDtype("int64"))
	targets.SetShape([]int64{5})
	weights := tinker.NewTensorData([]float64{1, 1, 1, 1, 0.5}, tinker.TensorDtype("float32"))
	inputs := map[string]tinker.TensorData{"target_tokens": *targets, "weights": *weights}
	datum := *tinker.NewDatum(inputs, prompt)
	batch := *tinker.NewForwardBackwardInput([]tinker.Datum{datum}, "cross_entropy")
	training := *tinker.NewForwardBackwardRequest(batch, model.ModelId)
	training.SetSeqId(1)
	request, _, err = client.TrainingAPI.ForwardBackward(ctx).ForwardBackwardRequest(training).Execute()
	check(err)
	output := tinker.ForwardBackwardOutput{}
	waitFor(client, request.RequestId, &output)

	sampling := *tinker.NewCreateSamplingSessionRequest(session.SessionId, 0)
	sampling.SetBaseModel("embedded/tiny")
	sampler, _, err := client.SamplingAPI.CreateSamplingSession(ctx).
		CreateSamplingSessionRequest(sampling).Execute()
	check(err)
	params := *tinker.NewSamplingParams()
	params.SetMaxTokens(3)
	params.SetTemperature(0)
	sample := *tinker.NewSampleRequest(prompt, params)
	sample.SetSamplingSessionId(sampler.GetSamplingSessionId())
	sample.SetSeqId(0)
	request, _, err = client.SamplingAPI.Asample(ctx).SampleRequest(sample).Execute()
	check(err)
	sampled := tinker.SampleResponse{}
	waitFor(client, request.RequestId, &sampled)
	write(map[string]interface{}{
		"loss": output.GetMetrics()["loss:sum"], "tokens": sampled.Sequences[0].Tokens,
	})

	recorded := connect(os.Getenv("CASES_URL"))
	cases := []struct{ Name, Model string }{}
	check(json.Unmarshal([]byte(os.Getenv("CASES")), &cases))
	for _, each := range cases {
		decoded := newOf(each.Model)
		convert(retrieve(recorded, each.Name), decoded)
		write(map[string]interface{}{"case": each.Name, "value": decoded})
	}
}
