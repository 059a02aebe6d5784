# The driver of the Elixir client for `tinker-ext conformance` (docs/conformance.md):
#
#     apt-get install elixir erlang-jiffy
#     tinker-ext conformance -- elixir ports/elixir/driver.exs
#
# A process for each service starts its steps in order; a process for each call waits for its result.

Code.require_file("tinker.ex", __DIR__)

defmodule Driver do
  alias Tinker.{Future, Sampling, Session, Training}

  def main do
    Tinker.start()
    write(%{client: "tinker-port (Elixir)", protocols: ["0.4.1"]})
    read(%{})
  end

  defp read(services) do
    case IO.read(:stdio, :line) do
      :eof ->
        System.halt(0)

      line ->
        {:ok, step} = Tinker.JSON.decode(line)

        services = Map.put_new_lazy(services, step["service"], fn -> spawn(fn -> serve(%{}) end) end)

        send(services[step["service"]], step)
        read(services)
    end
  end

  # `state` has the session, the clients by their handles, and the futures by the ids of their steps.
  defp serve(state) do
    receive do
      step -> step |> attempt(state) |> serve()
    end
  end

  defp attempt(step, state) do
    case perform(step["do"], step, state) do
      {:future, future, form} ->
        spawn(fn -> report(step, fn -> form.(Future.await(future)) end) end)
        Map.put(state, step["id"], future)

      {:ok, result, state} ->
        report(step, fn -> result end)
        state

      :unsupported ->
        write(%{id: step["id"], unsupported: "no #{step["do"]}"})
        state
    end
  rescue
    error ->
      report(step, fn -> raise error end)
      state
  end

  defp report(step, result) do
    write(%{id: step["id"], ok: result.()})
  rescue
    error in Tinker.Error ->
      write(%{
        id: step["id"],
        error: %{type: error.type, message: error.message, status: error.status}
      })

    error ->
      write(%{
        id: step["id"],
        error: %{type: inspect(error.__struct__), message: Exception.message(error)}
      })
  end

  defp perform("open", step, state) do
    config = %{base_url: step["base_url"], api_key: step["api_key"]}
    {:ok, session} = Session.start_link(config)
    {:ok, %{}, Map.merge(state, %{config: config, session: session})}
  end

  defp perform("close", _, state), do: {:ok, %{}, tap(state, &Session.close(&1.session))}

  defp perform("get_server_capabilities", _, state) do
    capabilities = Tinker.Call.get(state.config, "get_server_capabilities")
    {:ok, %{models: Enum.map(capabilities["supported_models"], & &1["model_name"])}, state}
  end

  defp perform("create_training_client", step, state) do
    {:ok, model} = Training.create(state.config, state.session, step["base_model"], step["rank"])
    {:ok, %{}, Map.put(state, step["as"], model)}
  end

  defp perform("create_sampling_client", step, state) do
    source = Map.take(step, ["base_model", "model_path"])
    {:ok, %{}, Map.put(state, step["as"], Sampling.create(state.config, state.session, source))}
  end

  defp perform(operation, step, state) when operation in ["forward", "forward_backward"] do
    future =
      Training.pass(
        state[step["on"]],
        operation,
        Enum.map(step["data"], &datum/1),
        step["loss_fn"]
      )

    {:future, future, & &1}
  end

  defp perform("optim_step", step, state),
    do: run(Training.optim_step(state[step["on"]], step["learning_rate"]))

  defp perform("save_state", step, state),
    do: run(state, step, "save_weights", %{path: step["name"]})

  defp perform("load_state", step, state),
    do: run(state, step, "load_weights", %{path: step["path"]})

  defp perform("save_weights_for_sampler" = operation, step, state) do
    run(state, step, operation, %{path: step["name"]})
  end

  defp perform("save_weights_and_get_sampling_client", step, state) do
    {_, number} = Session.next(state.session, :samplings)
    fields = %{sampling_session_seq_id: number}
    saved = Future.await(Training.run(state[step["on"]], "save_weights_for_sampler", fields))
    sampler = Sampling.new(state.config, state.session, saved["sampling_session_id"])
    {:ok, %{}, Map.put(state, step["as"], sampler)}
  end

  defp perform("sample", step, state) do
    params = %{max_tokens: step["max_tokens"], temperature: 1, top_k: -1, top_p: 1}
    prompt = Tinker.model_input(step["prompt"])
    future = Sampling.sample(state[step["on"]], prompt, params, step["num_samples"])
    {:future, future, &%{sequences: &1}}
  end

  defp perform("cancel", step, state) do
    Future.cancel(state[step["call"]])
    {:ok, %{}, state}
  end

  defp perform(_, _, _), do: :unsupported

  defp run(state, step, operation, fields),
    do: run(Training.run(state[step["on"]], operation, fields))

  defp run(future), do: {:future, future, &Map.take(&1, ["path"])}

  defp datum(%{"tokens" => tokens, "target_tokens" => targets, "weights" => weights}) do
    inputs = %{
      "target_tokens" => Tinker.tensor(targets, "int64"),
      "weights" => Tinker.tensor(weights, "float32")
    }

    %{"model_input" => Tinker.model_input(tokens), "loss_fn_inputs" => inputs}
  end

  defp write(line), do: IO.write(:stdio, [Tinker.JSON.encode(line), ?\n])
end

Driver.main()

