# Trains one step, samples, and decodes the recorded responses, with openapi-generator's client.
alias TinkerAPI.{Api, Connection, Deserializer, Model}

defmodule SparseJSON do
  # The generated structs send each field that is not set as null, which servers reject.
  def encode!(value), do: value |> without_nil() |> JSON.encode!()

  defp without_nil(value) when is_struct(value), do: value |> Map.from_struct() |> without_nil()

  defp without_nil(value) when is_map(value) do
    for {key, item} <- value, item != nil, into: %{}, do: {key, without_nil(item)}
  end

  defp without_nil(value) when is_list(value), do: Enum.map(value, &without_nil/1)
  defp without_nil(value), do: value
end

defmodule Program do
  @text [84, 104, 101, 32, 113]

  def connect(url) do
    Application.put_env(:tesla, Connection,
      json: SparseJSON,
      middleware: []
    )

    [{Tesla.Middleware.BaseUrl, base}, {Tesla.Middleware.Headers, headers} | rest] =
      Connection.middleware(base_url: url)

    headers = [{"x-api-key", "tml-any"} | headers]
    [{Tesla.Middleware.BaseUrl, base}, {Tesla.Middleware.Headers, headers} | rest]
  end

  def retrieve(connection, id) do
    request = %Model.FutureRetrieveRequest{request_id: id}
    {:ok, %{status: 200, body: body}} = Api.Futures.retrieve_future(connection, request)
    body
  end

  def wait_for(connection, id, module) do
    body = retrieve(connection, id)

    case JSON.decode(body) do
      {:ok, %{"type" => "try_again"}} -> wait_for(connection, id, module)
      {:ok, %{"error" => error}} when error != nil -> raise(error)
      {:ok, _value} -> decode(body, module)
    end
  end

  def decode(body, module) do
    {:ok, value} = Deserializer.json_decode(body, module)
    value
  end

  def run do
    {:ok, _} = Application.ensure_all_started(:inets)
    connection = connect(System.fetch_env!("TINKER_BASE_URL"))
    opening = %Model.CreateSessionRequest{tags: [], user_metadata: %{}, sdk_version: "0.4.1"}
    {:ok, %Model.CreateSessionResponse{session_id: session}} =
      Api.Sessions.create_session(connection, opening)

    creating = %Model.CreateModelRequest{
      session_id: session,
      model_seq_id: 0,
      base_model: "embedded/tiny",
      lora_config: %Model.LoraConfig{rank: 4}
    }

    {:ok, future} = Api.Models.create_model(connection, creating)
    model = wait_for(connection, future.request_id, Model.CreateModelResponse).model_id

    prompt = %Model.ModelInput{
      chunks: [%Model.EncodedTextChunk{type: "encoded_text", tokens: @text}]
    }

    inputs = %{
      "target_tokens" => %Model.TensorData{data: @text, dtype: "int64", shape: [5]},
      "weights" => %Model.TensorData{data: [1.0, 1.0, 1.0, 1.0, 0.5], dtype: "float32"}
    }

    training = %Model.ForwardBackwardRequest{
      forward_backward_input: %Model.ForwardBackwardInput{
        data: [%Model.Datum{model_input: prompt, loss_fn_inputs: inputs}],
        loss_fn: "cross_entropy"
      },
      model_id: model,
      seq_id: 1
    }

    {:ok, future} = Api.Training.forward_backward(connection, training)
    output = wait_for(connection, future.request_id, Model.ForwardBackwardOutput)

    sampling = %Model.CreateSamplingSessionRequest{
      session_id: session,
      sampling_session_seq_id: 0,
      base_model: "embedded/tiny"
    }

    {:ok, sampler} = Api.Sampling.create_sampling_session(connection, sampling)

    request = %Model.SampleRequest{
      prompt: prompt,
      sampling_params: %Model.SamplingParams{max_tokens: 3, temperature: 0.0},
      sampling_session_id: sampler.sampling_session_id,
      seq_id: 0
    }

    {:ok, future} = Api.Sampling.asample(connection, request)
    [sequence] = wait_for(connection, future.request_id, Model.SampleResponse).sequences
    IO.puts(JSON.encode!(%{loss: output.metrics["loss:sum"], tokens: sequence.tokens}))

    recorded = connect(System.fetch_env!("CASES_URL"))
    {:ok, cases} = "CASES" |> System.fetch_env!() |> JSON.decode()

    for %{"name" => name, "model" => model} <- cases do
      value = retrieve(recorded, name) |> decode(Module.concat(Model, model))
      IO.puts(JSON.encode!(%{case: name, value: value}))
    end
  end
end

Program.run()
